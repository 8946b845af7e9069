// A person's login over time: renewed in place, claims asked again, ended by lengths, by the provider and by revocation,
// streams that are open included (A4, A5, A8, R-F9, R-I1 to R-I4). The wall clock is moved; nothing sleeps.

import { createHash } from "node:crypto";
import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { eventually } from "../harness/scratch.ts";
import { type Bed, useBed } from "./support/bed.ts";
import { claims, COOKIE, MINUTES, People, peopleOptions } from "./support/people.ts";
import type { RecordedRequest } from "./support/origin.ts";
import { ask, expectDenied, expectForwarded, expectRefusal, http2Session, pseudo } from "./support/visit.ts";
import { write, type WireResponse } from "./support/wire.ts";

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const WIKI = "wiki.example.test";
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
/** FIN and close, 16 bytes of reason "access ended" after code 1008. */
const CLOSE_1008 = "\x88\x0e\x03\xf0access ended";

/** A browser's cookie for one host, replaced by whatever answers set. */
class Browser {
  readonly #bed: Bed;
  readonly #host: string;
  cookie: string;

  constructor(bed: Bed, host: string, token: string) {
    this.#bed = bed;
    this.#host = host;
    this.cookie = token;
  }

  async ask(target: string, method = "GET"): Promise<WireResponse> {
    const fields = [
      `Cookie: ${COOKIE}=${this.cookie}`,
      "Sec-Fetch-Mode: cors",
      "Sec-Fetch-Site: same-origin",
      ...(method === "POST" ? ["Content-Length: 2"] : []),
    ];
    const response = await ask(this.#bed, target, { host: this.#host, method, fields, body: method === "POST" ? "hi" : "" });
    for (const line of response.values("set-cookie"))
      if (line.startsWith(`${COOKIE}=`)) this.cookie = line.slice(COOKIE.length + 1, line.indexOf(";"));
    return response;
  }
}

describe("A4: renewal in place", () => {
  const people = new People();
  const bed = useBed(peopleOptions(people, ["ann", "bob", "eve"], stack));

  test("a page that polls and posts for an hour gets its answers and never a redirect, across four renewals", async () => {
    const browser = new Browser(bed(), WIKI, people.get("ann").token(WIKI));
    let renewals = 0;
    for (let minute = 0; minute <= 61; minute++) {
      const before = browser.cookie;
      const response = await browser.ask("/poll", minute % 2 === 0 ? "GET" : "POST");
      expect([minute, response.status, response.body]).toEqual([minute, 200, "served"]);
      expect(response.value("location")).toBeUndefined();
      if (browser.cookie !== before) {
        renewals++;
        expect(response.values("set-cookie")).toEqual([expect.stringMatching(/; Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=Lax$/)]);
      }
      people.clock.move(MINUTES(1));
    }
    expect(renewals).toBe(4);
    // Asked every 10 minutes, in the background.
    expect(people.provider.asked).toBeGreaterThanOrEqual(5);
  });

  test("a token in a header is not answered with a cookie", async () => {
    const response = await ask(bed(), "/", { host: WIKI, fields: [`Sallyport-Access-Token: ${people.get("bob").token(WIKI)}`] });
    expect([response.status, response.values("set-cookie")]).toEqual([200, []]);
  });

  test("a WebSocket handshake past the renewal time gets the new cookie with its 101", async () => {
    bed().open.respond = accept;
    using client = await openWebSocket(bed(), people.get("bob").token(WIKI));
    expect(client.received).toMatch(new RegExp(`Set-Cookie: ${COOKIE}=ey[^;]+; Path=/; Max-Age=`, "i"));
  });

  test("many answers at once set the same token: one signature, not a hundred", async () => {
    const fields = [people.get("eve").cookie(WIKI)];
    const responses = await Promise.all(Array.from({ length: 10 }, () => ask(bed(), "/", { host: WIKI, fields })));
    expect(new Set(responses.flatMap((response) => response.values("set-cookie").map((line) => line.split(";")[0]))).size).toBe(1);
  });
});

describe("R-F9: what the provider says later", () => {
  const people = new People();
  const bed = useBed(peopleOptions(people, ["ann", "bob", "eve", "joe"], stack));
  beforeEach(() => {
    people.provider.answer = (subject) => claims(subject);
  });

  test("a lost group ends access within the renewal time, with 403 and without a redirect, open streams too", async () => {
    bed().open.respond = accept;
    using socket = await openWebSocket(bed(), people.get("ann").token(WIKI));
    bed().open.reset();
    const browser = new Browser(bed(), WIKI, people.get("ann").token(WIKI));
    people.provider.answer = (subject) => claims(subject, ["sales"]);
    people.clock.move(MINUTES(11));
    // Answered by what is known, unless the provider's word comes while the assertion is signed; never by a redirect.
    expect([200, 403]).toContain((await browser.ask("/")).status);
    await eventually(async () => (await browser.ask("/")).status === 403, { what: "the lost group to count" });
    expectRefusal(await browser.ask("/"), { status: 403, code: "ERR_ACCESS_DENIED" });
    await socket.until(/access ended/);
    expect(socket.received.endsWith(CLOSE_1008)).toBe(true);
  });

  test("an idle session that wakes waits for the provider's word; whoever it no longer knows is signed out", async () => {
    people.provider.answer = () => ({ kind: "ended" });
    people.clock.move(MINUTES(120));
    await expectDenied(bed(), write("/", { host: WIKI, fields: [people.get("bob").cookie(WIKI)] }), { status: 401 });
    people.provider.answer = (subject) => claims(subject);
    await expectDenied(bed(), write("/", { host: WIKI, fields: [people.get("bob").cookie(WIKI)] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
  });

  test("a provider that cannot be reached: 503 once its word is older than an hour, and the session stays", async () => {
    people.provider.answer = () => ({ kind: "unreachable" });
    await expectDenied(bed(), write("/", { host: WIKI, fields: [people.get("eve").cookie(WIKI)] }), {
      status: 503,
      code: "ERR_IDENTITY_UNCONFIRMED",
    });
    // A public application asks nobody.
    await expectForwarded(bed(), write("/", { host: "public.example.test", fields: [people.get("eve").cookie("public.example.test")] }));
    // joe was not asked about yet, so nothing waits for a retry.
    people.provider.answer = (subject) => claims(subject);
    await expectForwarded(bed(), write("/", { host: WIKI, fields: [people.get("joe").cookie(WIKI)] }));
  });
});

describe("A5: how long a login counts", () => {
  const people = new People();
  const bed = useBed(peopleOptions(people, ["ann"], stack));

  test("an application's own idle time and length count there, and nowhere else", async () => {
    const ann = people.get("ann");
    for (const host of ["short.example.test", "idle.example.test", WIKI])
      await expectForwarded(bed(), write("/", { host, fields: [ann.cookie(host)] }));
    people.clock.move(MINUTES(6));
    await expectDenied(bed(), write("/", { host: "idle.example.test", fields: [ann.cookie("idle.example.test")] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
    await expectForwarded(bed(), write("/", { host: "short.example.test", fields: [ann.cookie("short.example.test")] }));
    people.clock.move(MINUTES(9));
    await expectDenied(bed(), write("/", { host: "short.example.test", fields: [ann.cookie("short.example.test")] }), {
      status: 401,
      code: "ERR_LOGIN_REQUIRED",
    });
    await expectForwarded(bed(), write("/", { host: WIKI, fields: [ann.cookie(WIKI)] }));
  });

  test("R-I4: a session ends at its time, and a clock that is set back does not bring it back", async () => {
    const fields = [people.get("ann").cookie(WIKI)];
    people.clock.move(MINUTES(24 * 60));
    await expectDenied(bed(), write("/", { host: WIKI, fields }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
    people.clock.move(-MINUTES(24 * 60));
    await expectDenied(bed(), write("/", { host: WIKI, fields }), { status: 401, code: "ERR_LOGIN_REQUIRED" });
  });
});

describe("R-I2: revocation reaches what is open", () => {
  const people = new People();
  const bed = useBed(peopleOptions(people, ["ann", "bob", "eve"], stack));

  test("WebSocket (with 1008), event stream and a program's stream of that person end within 5 s, nobody else's", async () => {
    bed().open.respond = (request, socket) => {
      if (request.values("upgrade").length > 0) return accept(request);
      socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
      return undefined;
    };
    const [ann, bob] = [people.get("ann"), people.get("bob")];
    using webSocket = await openWebSocket(bed(), ann.token(WIKI));
    using events = await openStream(bed(), ann.token(WIKI));
    using program = await openStream(bed(), ann.token(WIKI), (token) => `Sallyport-Access-Token: ${token}`);
    using others = await openStream(bed(), bob.token(WIKI));
    using otherSocket = await openWebSocket(bed(), bob.token(WIKI));

    const startedAt = performance.now();
    await people.revoke(bed(), { email: "ann@example.com" });
    await Promise.all([webSocket.closed, events.closed, program.closed]);
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeLessThan(5_000);
    expect(webSocket.received.endsWith(CLOSE_1008)).toBe(true);
    // A cut that the reader can tell: the last chunk is missing.
    for (const stream of [events, program]) expect(stream.received).not.toContain("\r\n0\r\n");

    let bobsOpen = true;
    void Promise.race([others.closed, otherSocket.closed]).then(() => (bobsOpen = false));
    bed().open.reset();
    await expectForwarded(bed(), write("/", { host: WIKI, fields: [bob.cookie(WIKI)] }));
    await setImmediate();
    expect(bobsOpen).toBe(true);
  });

  test("a stream of HTTP/2 is reset, and the connection with the streams of others goes on", async () => {
    bed().open.respond = (_request, socket) =>
      void socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    await using session = await http2Session(bed(), WIKI);
    const open = async (name: string): Promise<ClientHttp2Stream> => {
      const stream = session.request([...pseudo("/events", WIKI), "cookie", `${COOKIE}=${people.get(name).token(WIKI)}`] as never);
      stream.on("error", () => {});
      await once(stream, "data");
      return stream;
    };
    const [eves, bobs] = [await open("eve"), await open("bob")];
    // Not once(): the reset comes with an error before the close.
    const closed = new Promise((resolve) => void eves.once("close", resolve));
    await people.revoke(bed(), { email: "eve@example.com" });
    await closed;
    expect(eves.rstCode).not.toBe(0);
    expect([bobs.closed, session.closed]).toEqual([false, false]);
  });

  test("inside a frame the WebSocket is cut, since a close frame would be read as payload", async () => {
    bed().open.respond = (request, socket) => {
      // A frame of 100 bytes of which 10 are there.
      setTimeout(() => socket.write("\x82\x64" + "x".repeat(10), "latin1"), 0);
      return accept(request);
    };
    using client = await openWebSocket(bed(), people.get("bob").token(WIKI));
    await client.until(/x{10}$/);
    await people.revoke(bed(), { provider: "corp", subject: "bob" });
    await client.closed;
    expect(client.received.endsWith("x".repeat(10))).toBe(true);
  });

  test("R-I1: the same credentials are nobody's afterwards, at every application", async () => {
    for (const host of [WIKI, "grafana.example.test"]) {
      await expectDenied(bed(), write("/", { host, fields: [people.get("ann").cookie(host)] }), {
        status: 401,
        code: "ERR_LOGIN_REQUIRED",
      });
      await expectDenied(bed(), write("/", { host, fields: [`Sallyport-Access-Token: ${people.get("ann").token(host)}`] }), {
        status: 401,
        code: "ERR_CREDENTIAL_INVALID",
      });
    }
  });
});

function accept(request: RecordedRequest): string {
  const [key = ""] = request.values("sec-websocket-key");
  const hash = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${hash}\r\n\r\n`;
}

async function openWebSocket(bed: Bed, token: string): Promise<RawClient> {
  const client = await RawClient.connect({ port: bed.port });
  const fields = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    `Sec-WebSocket-Key: ${KEY}`,
    "Sec-WebSocket-Version: 13",
    `Origin: https://${WIKI}`,
    `Cookie: ${COOKIE}=${token}`,
  ];
  client.send(write("/ws", { host: WIKI, close: false, fields }));
  await client.until(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/);
  return client;
}

async function openStream(bed: Bed, token: string, line = (value: string): string => `Cookie: ${COOKIE}=${value}`): Promise<RawClient> {
  const client = await RawClient.connect({ port: bed.port });
  client.send(write("/events", { host: WIKI, close: false, fields: [line(token)] }));
  await client.until(/data: 1/);
  return client;
}
