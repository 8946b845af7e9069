// Selectors about the request, whoever makes it: address, country, method, time, client certificate. They are looked at
// on every request (A11); of them only a certificate can be pending. Must not know policies or actions.

import { ruleMethod, type ClientCertificate, type RequestFacts } from "./facts.ts";
import { IpSet, readCidr, type Cidr } from "./ip.ts";
import type { Condition } from "./policy.ts";
import { BaseNode, type ValuesNode } from "./selector-node.ts";
import type { TimeWindow } from "./time-window.ts";
import { truthOf, UNKNOWN, type Truth } from "./truth.ts";

export class IpNode extends BaseNode implements ValuesNode {
  readonly values: ReadonlySet<string>;
  readonly #set: IpSet;

  /** @param values addresses and CIDR blocks. @throws TypeError for anything else, which the schema excludes. */
  constructor(values: ReadonlySet<string>, text: string) {
    super("ip", text, ["ip"]);
    this.values = values;
    this.#set = new IpSet([...values].map(cidrOf));
  }

  withValues(values: ReadonlySet<string>): Condition {
    return new IpNode(values, this.text);
  }

  evaluate({ ip }: RequestFacts): Truth {
    return ip === undefined ? UNKNOWN : truthOf(this.#set.has(ip));
  }

  found({ ip }: RequestFacts): string {
    return `address is ${ip?.text ?? "not known"}`;
  }
}

function cidrOf(text: string): Cidr {
  const reading = readCidr(text);
  if (reading.kind === "problem") throw new TypeError(reading.problem);
  return reading.cidr;
}

export class CountryNode extends BaseNode implements ValuesNode {
  readonly values: ReadonlySet<string>;

  constructor(values: ReadonlySet<string>, text: string) {
    super("country", text, ["country"]);
    this.values = values;
  }

  withValues(values: ReadonlySet<string>): Condition {
    return new CountryNode(values, this.text);
  }

  evaluate(facts: RequestFacts): Truth {
    const country = facts.countryOf(facts.ip);
    return country === undefined ? UNKNOWN : truthOf(this.values.has(country));
  }

  found(facts: RequestFacts): string {
    return `country is ${facts.countryOf(facts.ip) ?? "not known"}`;
  }
}

export class MethodNode extends BaseNode implements ValuesNode {
  readonly values: ReadonlySet<string>;

  constructor(values: ReadonlySet<string>, text: string) {
    super("method", text, ["method"]);
    this.values = values;
  }

  withValues(values: ReadonlySet<string>): Condition {
    return new MethodNode(values, this.text);
  }

  evaluate(facts: RequestFacts): Truth {
    return truthOf(this.values.has(ruleMethod(facts.method)));
  }

  found({ method }: RequestFacts): string {
    return method === "HEAD" ? "method is HEAD, which counts as GET" : `method is ${method}`;
  }
}

export class TimeNode extends BaseNode {
  readonly #window: TimeWindow;

  constructor(window: TimeWindow, text: string) {
    super("timeWindow", text, ["time"]);
    this.#window = window;
  }

  evaluate(facts: RequestFacts): Truth {
    return truthOf(this.#window.contains(facts.nowMs));
  }

  found(facts: RequestFacts): string {
    return `it is ${this.#window.describe(facts.nowMs)}`;
  }
}

/**
 * Whether a verified certificate fits. None, and one that does not verify, are false, not unknown: the handshake is
 * over. Unknown where nobody asked for one, pending while the handshake is still to come.
 */
export class CertificateNode extends BaseNode {
  readonly #fits: (certificate: ClientCertificate) => boolean;

  constructor(fits: (certificate: ClientCertificate) => boolean, text: string) {
    super("clientCertificate", text, ["clientCertificate"]);
    this.#fits = fits;
  }

  evaluate({ clientCertificate }: RequestFacts, pending: Truth): Truth {
    if (clientCertificate === undefined) return UNKNOWN;
    if (clientCertificate.kind === "pending") return pending;
    return truthOf(clientCertificate.kind === "verified" && this.#fits(clientCertificate));
  }

  found({ clientCertificate }: RequestFacts): string {
    switch (clientCertificate?.kind) {
      case undefined:
        return "client certificate is not known: the relay did not ask for one";
      case "none":
        return "no client certificate";
      case "refused":
        return `a client certificate that does not verify (${clientCertificate.problem})`;
      case "pending":
        return "the connection to the application's host will tell";
      case "verified": {
        const { commonName, fingerprint } = clientCertificate;
        return `client certificate ${commonName ?? "without common name"}, fingerprint ${fingerprint.slice(0, 16)}...`;
      }
    }
  }
}
