import { describe, expect, it } from "vitest";
import type { ClientAuthorityConfig } from "../config/types.ts";
import { ClientAuthorities } from "./client-authorities.ts";
import { certificateFactOf, isRightConnection, readAlternativeNames, type ClientCheck } from "./client-certificate.ts";
import type { IngressRequest } from "./exchange.ts";

describe("alternative names in node:crypto's text", () => {
  it.each<readonly [string, readonly string[]]>([
    ["DNS:CI.Example.com, email:Ann@example.com", ["dns:ci.example.com", "email:Ann@example.com"]],
    ["URI:spiffe://example.com/ci, IP Address:0:0:0:0:0:0:0:1", ["uri:spiffe://example.com/ci", "ip:::1"]],
    ["IP Address:192.0.2.1, DirName:CN=x, Registered ID:1.2.3", ["ip:192.0.2.1"]],
    // A value that holds a separator is quoted, and stays one value (CVE-2021-44532).
    ['URI:"http://example.com/, DNS:good.example.com"', ["uri:http://example.com/, DNS:good.example.com"]],
    ['DNS:"a\\u0000b.example.com", DNS:c.example.com', ["dns:c.example.com"]],
    ['DNS:"unfinished, DNS:good.example.com', []],
    ["", []],
  ])("%s", (text, names) => {
    expect(readAlternativeNames(text)).toEqual(names);
  });
});

const authority = (id: string): ClientAuthorityConfig => ({ ca: [], crl: [], id });
const [one, two] = [authority("one"), authority("two")];
const verified = { kind: "verified", commonName: "ci", subjectAlternativeNames: [], fingerprint: "a".repeat(64) } as const;
const check = (authorityId: string): ClientCheck => ({ authorityId, fact: verified, expiresAt: 1_000 });
const on = (scheme: "http" | "https", clientCheck: ClientCheck | undefined): IngressRequest => ({ scheme, clientCheck }) as IngressRequest;

describe("a request and the connection that it came on", () => {
  it.each<readonly [string, IngressRequest, ClientAuthorityConfig | undefined, boolean]>([
    ["fit where neither knows certificates", on("https", undefined), undefined, true],
    ["fit where both have the same rules", on("https", check("one")), one, true],
    ["do not fit where the host wants a certificate and nobody asked", on("https", undefined), one, false],
    ["do not fit where the host wants none", on("https", check("one")), undefined, false],
    ["do not fit where the rules differ", on("https", check("one")), two, false],
    ["are not compared where TLS ended in front of the relay", on("http", undefined), one, true],
  ])("%s", (_title, request, wanted, fits) => {
    expect(isRightConnection(request, wanted)).toBe(fits);
    // Whatever the answer: no verdict counts for other rules.
    const fact = certificateFactOf(request, wanted, 0);
    expect(fact).toBe(request.clientCheck !== undefined && request.clientCheck.authorityId === wanted?.id ? verified : undefined);
  });

  it("outlive a certificate's validity, and then it counts no more", () => {
    expect(certificateFactOf(on("https", check("one")), one, 999)).toBe(verified);
    expect(certificateFactOf(on("https", check("one")), one, 1_000)).toEqual({ kind: "refused", problem: "CERT_HAS_EXPIRED" });
  });
});

describe("which hosts ask for certificates", () => {
  const application = (hostname: string, clientCertificates?: ClientAuthorityConfig): never => ({ hostname, clientCertificates }) as never;
  const authUrl = { hostname: "auth.example.com" } as never;
  const authorities = new ClientAuthorities({
    authUrl,
    applications: [
      application("a.example.com"),
      application("a.example.com", one),
      application("*.example.com", two),
      application("plain.example.com"),
    ],
  });

  it("is found as routes are: an exact name is not covered by a wildcard", () => {
    const of = (name: string | undefined): string | undefined => authorities.of(name)?.id;
    expect(["a.example.com", "A.Example.COM", "b.example.com", "plain.example.com"].map(of)).toEqual(["one", "one", "two", undefined]);
    expect(["auth.example.com", "x.b.example.com", "example.com", "localhost", undefined].map(of)).toEqual(Array(5).fill(undefined));
  });

  it("is the same object of rules only while nothing changed", () => {
    const { id } = new ClientAuthorities({ authUrl, applications: [application("a.example.com", one)] });
    expect(new ClientAuthorities({ authUrl, applications: [application("a.example.com", authority("one"))] }).id).toBe(id);
    expect(new ClientAuthorities({ authUrl, applications: [application("a.example.com", two)] }).id).not.toBe(id);
    expect(new ClientAuthorities({ authUrl, applications: [application("b.example.com", one)] }).id).not.toBe(id);
  });
});
