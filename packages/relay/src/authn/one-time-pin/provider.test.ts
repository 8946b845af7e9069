import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { ManualClock } from "@sallyport/shared/clock";
import { Secret } from "@sallyport/shared/secret";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OneTimePinProviderConfig } from "../../config/types.ts";
import type { PinChecking } from "../provider.ts";
import { deliverableAddress, type PinMail, smtpDelivery } from "./mail.ts";
import { OneTimePinProvider } from "./provider.ts";

const HOME = "192.0.2.1";
let clock: ManualClock;
let mails: PinMail[];
let problems: string[];

beforeEach(() => {
  clock = new ManualClock();
  mails = [];
  problems = [];
});

function create(change: Partial<OneTimePinProviderConfig> = {}, deliver?: (mail: PinMail) => Promise<void>): OneTimePinProvider {
  const config = {
    type: "one-time-pin",
    name: "pin",
    label: "Mail",
    delivery: "terminal",
    smtp: undefined,
    recipients: undefined,
  } as const;
  const collect = (mail: PinMail): Promise<void> => Promise.resolve(void mails.push(mail));
  const options = {
    authUrl: "https://auth.example.com",
    clock,
    deliver: deliver ?? collect,
    onProblem: (text: string) => void problems.push(text),
  };
  return new OneTimePinProvider({ ...options, config: { ...config, ...change } });
}

async function sent(provider: OneTimePinProvider, email = "ann@example.com", source = HOME): Promise<string> {
  const sending = await provider.send(email, source);
  if (sending.kind !== "sent") throw new Error("limited");
  return sending.challengeId;
}

/** As somebody does who waits as long as they are told. */
function checkInTime(provider: OneTimePinProvider, id: string, pin: string, source = HOME): PinChecking {
  const first = provider.check(id, pin, source);
  if (first.kind !== "early") return first;
  clock.advance(first.retryAfterS * 1_000);
  return provider.check(id, pin, source);
}

function wrongPin(mail: PinMail | undefined, nth = 1): string {
  return String((Number(mail?.pin) + nth) % 1_000_000).padStart(6, "0");
}

describe("a code", () => {
  it("that was mailed signs in once, as the holder of the address", async () => {
    const provider = create();
    const id = await sent(provider, "Ann@EXAMPLE.com");
    const [mail] = mails;
    expect(mail).toMatchObject({ email: "Ann@example.com", pin: expect.stringMatching(/^\d{6}$/) as unknown, clientAddress: HOME });
    const identity = {
      subject: "Ann@example.com",
      email: "Ann@example.com",
      name: undefined,
      groups: undefined,
      authMethods: ["otp"],
      claims: {},
    };
    const login = { identity, refreshToken: undefined, providerSessionId: undefined };
    expect(provider.check(id, mail?.pin ?? "", HOME)).toEqual({ kind: "login", login });
    expect(provider.check(id, mail?.pin ?? "", HOME)).toEqual({ kind: "over" });
  });

  it("R-J2: is good for 10 minutes", async () => {
    const provider = create();
    const [early, late] = [await sent(provider), await sent(provider)];
    clock.advance(599_999);
    expect(provider.check(early, mails[0]?.pin ?? "", HOME).kind).toBe("login");
    clock.advance(1);
    expect(provider.check(late, mails[1]?.pin ?? "", HOME)).toEqual({ kind: "over" });
  });

  it("R-J2: is not to be guessed: after five wrong tries not even the right one passes", async () => {
    const provider = create();
    const id = await sent(provider);
    for (let left = 4; left > 0; left--)
      expect(checkInTime(provider, id, wrongPin(mails[0], left))).toMatchObject({ kind: "wrong", triesLeft: left });
    expect(checkInTime(provider, id, wrongPin(mails[0], 9))).toEqual({ kind: "over" });
    expect(provider.check(id, mails[0]?.pin ?? "", HOME)).toEqual({ kind: "over" });
  });

  it.each(["", "12345", "1234567", "12345a", "\u0661\u0662\u0663\u0664\u0665\u0666", "-12345"])(
    "%j is none, and costs a try",
    async (pin) => {
      const provider = create();
      expect(provider.check(await sent(provider), pin, HOME)).toEqual({ kind: "wrong", triesLeft: 4, retryAfterS: 1 });
    },
  );

  it("of another challenge is wrong", async () => {
    const provider = create();
    const [first, second] = [await sent(provider), await sent(provider)];
    const [one, two] = mails;
    if (one?.pin !== two?.pin) expect(provider.check(first, two?.pin ?? "", HOME).kind).toBe("wrong");
    expect(checkInTime(provider, second, two?.pin ?? "").kind).toBe("login");
    expect(provider.check("unknown", one?.pin ?? "", HOME)).toEqual({ kind: "over" });
  });
});

describe("R-J2: limits", () => {
  it("the wait doubles after each wrong try; what comes sooner is not looked at and uses up nothing", async () => {
    const provider = create();
    const id = await sent(provider);
    const right = mails[0]?.pin ?? "";
    for (const [nth, seconds] of [1, 2, 4, 8].entries()) {
      expect(provider.check(id, wrongPin(mails[0], nth + 1), HOME)).toEqual({ kind: "wrong", triesLeft: 4 - nth, retryAfterS: seconds });
      expect(provider.check(id, right, HOME)).toEqual({ kind: "early", retryAfterS: seconds });
      clock.advance(seconds * 1_000 - 1);
      expect(provider.check(id, right, HOME)).toEqual({ kind: "early", retryAfterS: 1 });
      clock.advance(1);
    }
    expect(provider.check(id, right, HOME).kind).toBe("login");
    // Whoever got in begins anew.
    expect(provider.check(await sent(provider), wrongPin(mails[1]), HOME)).toMatchObject({ retryAfterS: 1 });
  });

  it("nobody waits for the tries of another source, or for another address; one IPv6 /64 is one source", async () => {
    const provider = create();
    const [ann, bob] = [await sent(provider), await sent(provider, "bob@example.com")];
    provider.check(ann, wrongPin(mails[0]), "2001:db8::1");
    expect(provider.check(ann, mails[0]?.pin ?? "", "2001:db8::ffff:2").kind).toBe("early");
    expect(provider.check(bob, mails[1]?.pin ?? "", "2001:db8::1").kind).toBe("login");
    expect(provider.check(ann, mails[0]?.pin ?? "", HOME).kind).toBe("login");
  });

  it("10 tries in 15 minutes for one address from one source, however many codes", async () => {
    const provider = create();
    for (let code = 0; code < 2; code++) {
      const id = await sent(provider);
      for (let tries = 0; tries < 5; tries++)
        expect(checkInTime(provider, id, wrongPin(mails[code], tries + 1)).kind).toBe(tries < 4 ? "wrong" : "over");
    }
    const id = await sent(provider);
    expect(checkInTime(provider, id, mails[2]?.pin ?? "")).toEqual({ kind: "over" });
    clock.advance(900_000);
    expect(provider.check(await sent(provider), mails[3]?.pin ?? "", HOME).kind).toBe("login");
  });

  it("a stranger who used up the tries of an address does not lock out who holds it", async () => {
    const provider = create();
    for (let code = 0; code < 2; code++) {
      const id = await sent(provider, "ann@example.com", "198.51.100.7");
      for (let tries = 0; tries < 5; tries++) checkInTime(provider, id, wrongPin(mails[code], tries + 1), "198.51.100.7");
    }
    expect(provider.check(await sent(provider), mails[2]?.pin ?? "", HOME).kind).toBe("login");
  });

  it("many sources together get 50 tries at one address", async () => {
    const provider = create();
    let tried = 0;
    for (let source = 0; source < 12; source++) {
      // Mails are bounded per address too: the codes of later challenges are never sent, and still nobody can guess them.
      const id = await sent(provider, "ann@example.com", `198.51.100.${source}`);
      for (let tries = 0; tries < 5; tries++) tried += checkInTime(provider, id, "x", `198.51.100.${source}`).kind === "wrong" ? 1 : 0;
    }
    // The fifth wrong try of a code is answered with "over": four of five are seen.
    expect(tried).toBe(40);
  });

  it("20 codes in 15 minutes for one source, then it is told when to come back", async () => {
    const provider = create();
    for (let index = 0; index < 20; index++) await sent(provider, `person${index}@example.com`);
    clock.advance(60_000);
    expect(await provider.send("ann@example.com", HOME)).toEqual({ kind: "limited", retryAfterS: 840 });
    expect((await provider.send("ann@example.com", "192.0.2.2")).kind).toBe("sent");
  });

  it("5 codes in 15 minutes for one address from one source, which keeps nobody else from getting one", async () => {
    const provider = create();
    const stranger = "198.51.100.7";
    for (let index = 0; index < 5; index++) await sent(provider, "ann@example.com", stranger);
    for (const email of ["ann@example.com", "ann@EXAMPLE.com"])
      expect(await provider.send(email, stranger)).toEqual({ kind: "limited", retryAfterS: 900 });
    expect((await provider.send("bob@example.com", stranger)).kind).toBe("sent");
    expect(provider.check(await sent(provider), mails.at(-1)?.pin ?? "", HOME).kind).toBe("login");
  });

  it("30 mails in 15 minutes to one address, and the answer stays the same", async () => {
    const provider = create();
    for (let index = 0; index < 35; index++) await sent(provider, "ann@example.com", `192.0.2.${index}`);
    expect(mails).toHaveLength(30);
    expect(problems).toHaveLength(5);
  });
});

describe("no enumeration (A2)", () => {
  it("addresses that get no mail are answered like those that do", async () => {
    const provider = create({ recipients: ["example.com", "guest@example.org"] });
    const others = ["ann@example.org", "not-an-address", "a b@example.com", '"x"@example.com', "ann@sub.example.com"];
    for (const email of ["ann@example.com", "guest@example.org", ...others])
      expect(await provider.send(email, HOME)).toEqual({ kind: "sent", challengeId: expect.stringMatching(/^[\w-]{43}$/) as unknown });
    expect(mails.map(({ email }) => email)).toEqual(["ann@example.com", "guest@example.org"]);
  });

  it("the answer does not wait for the mail server, and its failure is for the operator only", async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    const provider = create({}, () => promise);
    const id = await sent(provider);
    expect(provider.check(id, "000000x", HOME).kind).toBe("wrong");
    reject(new Error("the mail server did not take the mail: ECONNREFUSED"));
    await expect(promise).rejects.toThrow();
    await Promise.resolve();
    expect(problems).toEqual(["the mail server did not take the mail: ECONNREFUSED"]);
  });
});

it.each<[string, string | undefined]>([
  ["ann+door@example.com", "ann+door@example.com"],
  ["ann@b\u00fccher.example", "ann@xn--bcher-kva.example"],
  ["ann,bob@example.com", undefined],
  ["<ann>@example.com", undefined],
  ["ann..b@example.com", undefined],
  ["ann@example_.com", undefined],
  ["\u00e4nn@example.com", undefined],
])("mail to %s goes to %s", (email, expected) => {
  expect(deliverableAddress(email)).toBe(expected);
});

describe("by SMTP", () => {
  const cleanups: (() => void)[] = [];
  afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));
  const MAIL: PinMail = { email: "ann@example.com", pin: "012345", authUrl: "https://auth.example.com", clientAddress: HOME };

  /** A mail server that takes everything, and keeps what it was told. */
  async function mailServer(refuse?: string): Promise<{ readonly port: number; readonly said: string[] }> {
    const said: string[] = [];
    const server = createServer((socket: Socket) => {
      let inMail = false;
      socket.write("220 mail.example.com\r\n");
      socket.on("data", (chunk: Buffer) => {
        for (const line of chunk.toString().split("\r\n").slice(0, -1)) {
          said.push(line);
          if (inMail && line !== ".") continue;
          const answer =
            line === "DATA"
              ? "354 go on"
              : line === "STARTTLS"
                ? "454 no TLS here"
                : refuse !== undefined && line.startsWith("RCPT")
                  ? refuse
                  : "250 ok";
          inMail = line === "DATA";
          socket.write(`${answer}\r\n`);
        }
      });
      socket.on("error", () => undefined);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => server.close());
    return { port: (server.address() as AddressInfo).port, said };
  }
  const smtp = (port: number, host = "127.0.0.1"): Parameters<typeof smtpDelivery>[0] => ({
    url: new Secret(`smtp://${host}:${port}`),
    from: "door@example.com",
    tls: "required",
  });

  it("a mail says the code, where it belongs and who asked", async () => {
    const { port, said } = await mailServer();
    await smtpDelivery(smtp(port))(MAIL);
    expect(said).toContain("MAIL FROM:<door@example.com>");
    expect(said).toContain("RCPT TO:<ann@example.com>");
    expect(said).toContain("Subject: Code to sign in at auth.example.com");
    expect(said).toContain("Auto-Submitted: auto-generated");
    expect(said.join("\n")).toMatch(/ {4}012345[^]*10 minutes[^]*192\.0\.2\.1/);
  });

  it("a refusal is an error that quotes nothing", async () => {
    const { port } = await mailServer("550 no such user ann@example.com canary");
    await expect(smtpDelivery(smtp(port))(MAIL)).rejects.toThrow(/^the mail server did not take the mail: EENVELOPE 550$/);
  });

  it("no code leaves for another machine without TLS", async () => {
    const { port, said } = await mailServer();
    // A name that is no loopback name by its spelling, and leads there all the same.
    await expect(smtpDelivery(smtp(port, "[::ffff:127.0.0.1]"))(MAIL)).rejects.toThrow(/^the mail server did not take the mail: ETLS 454$/);
    expect(said).toContain("STARTTLS");
    expect(said.join("\n")).not.toMatch(/RCPT|012345/);
  });
});
