// Many visitors and an origin that does everything wrong, at random and over real sockets (R-D4): each visitor gets its own
// answer or an error, and afterwards nothing is left. Deterministic cases are in hostile-origin.test.ts.

import type { Socket } from "node:net";

import fc from "fast-check";
import { expect, test } from "vitest";

import { openStream } from "./testing/memory-stream.ts";
import type { MemoryStream } from "./testing/memory-stream.ts";
import { address, rawOrigin, routerTo } from "./testing/origins.ts";

const EXCHANGES = 1_500;
const AT_ONCE = 24;

const POISON = "HTTP/1.1 200 OK\r\nX-Token: poison\r\nContent-Length: 6\r\n\r\npoison";
/** Behind them the connection has to end, or nobody knows that nothing more comes. */
const UNFINISHED: ReadonlySet<Conduct["shape"]> = new Set(["until-close", "cut", "garbage", "nothing"]);

/** What the origin makes of one request; `end`: of its connection afterwards. */
interface Conduct {
  readonly shape: "length" | "chunked" | "until-close" | "empty" | "interim" | "early" | "cut" | "garbage" | "nothing";
  readonly end: "keep" | "fin" | "reset" | "more";
  /** Where its octets are divided into writes, a turn apart. */
  readonly cuts: readonly number[];
}

interface Visit {
  readonly kind: "get" | "head" | "post" | "leaves";
  readonly conduct: Conduct;
}

const conduct: fc.Arbitrary<Conduct> = fc.record({
  shape: fc.constantFrom("length", "length", "chunked", "chunked", "until-close", "empty", "interim", "early", "cut", "garbage", "nothing"),
  end: fc.constantFrom("keep", "keep", "keep", "fin", "reset", "more"),
  cuts: fc.array(fc.nat(200), { maxLength: 3 }),
});

const visit: fc.Arbitrary<Visit> = fc.record({ kind: fc.constantFrom("get", "get", "get", "head", "post", "leaves"), conduct });

function answerOf(shape: Conduct["shape"], token: string, head: boolean): string {
  const body = head ? "" : token;
  const whole = `HTTP/1.1 200 OK\r\nX-Token: ${token}\r\nContent-Length: ${token.length}\r\n\r\n${body}`;
  switch (shape) {
    case "length":
    case "early":
      return whole;
    case "chunked":
      return head
        ? whole
        : `HTTP/1.1 200 OK\r\nX-Token: ${token}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks(token)}0\r\nX-Sum: ${token}\r\n\r\n`;
    case "until-close":
      return `HTTP/1.1 200 OK\r\nX-Token: ${token}\r\n\r\n${body}`;
    case "empty":
      return `HTTP/1.1 204 No Content\r\nX-Token: ${token}\r\n\r\n`;
    case "interim":
      return `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Token: ${token}\r\n\r\n${whole}`;
    case "cut":
      return whole.slice(0, -3);
    case "garbage":
      return `HTTP/1.1 200 OK\r\nX-Token : ${token}\r\n\r\n`;
    case "nothing":
      return "";
  }
}

function chunks(text: string): string {
  return text.replace(/.{1,3}/g, (part) => `${part.length.toString(16)}\r\n${part}\r\n`);
}

async function write(socket: Socket, text: string, cuts: readonly number[]): Promise<void> {
  const at = [...new Set(cuts.map((cut) => cut % Math.max(1, text.length)))].filter((cut) => cut > 0).sort((a, b) => a - b);
  for (const [i, from] of [0, ...at].entries()) {
    socket.write(text.slice(from, at[i] ?? text.length), "latin1");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function answer(socket: Socket, request: string, visits: readonly Visit[]): Promise<void> {
  const [method, path] = request.split(" ") as [string, string];
  const index = Number(path.slice(1).split("-")[0]);
  const { shape, end, cuts } = (visits[index] as Visit).conduct;
  const text = answerOf(shape, path, method === "HEAD");
  const unfinished = UNFINISHED.has(shape);
  // In one write with the answer: later, it would be an answer to the next request as far as anybody can tell.
  if (end === "more" && !unfinished) return void socket.write(text + POISON, "latin1");
  await write(socket, text, cuts);
  if (end === "reset") socket.resetAndDestroy();
  else if (end === "fin" || unfinished) socket.end();
}

/** @returns what speaks against the answer that visitor `token` got */
async function judge(stream: MemoryStream, token: string, { kind }: Visit): Promise<string | undefined> {
  const outcome = await stream.done();
  if (stream.final !== undefined && !stream.final.head.fields.includes(token)) return `the head of ${token} is another's`;
  if (outcome.kind === "reset") return undefined;
  const { received } = stream;
  const { status } = await stream.head();
  const expected = kind === "head" || status === 204 ? "" : token;
  if (received !== expected) return `${token} got ${JSON.stringify(received)}`;
  return stream.interim.every(({ fields }) => fields.includes(token)) ? undefined : `an interim response of ${token} is another's`;
}

test("R-D4: whatever an origin does, each visitor gets its own answer or an error, and nothing is left", async () => {
  const [visits] = fc.sample(fc.array(visit, { minLength: EXCHANGES, maxLength: EXCHANGES, size: "max" }), 1) as [Visit[]];
  const origin = await rawOrigin((socket, request) => void answer(socket, request, visits));
  const router = routerTo(address(`http://127.0.0.1:${origin.port}`));
  const problems: string[] = [];
  let whole = 0;
  const queue = visits.entries();
  const visitor = async (): Promise<void> => {
    for (const [index, current] of queue) {
      const token = `/${index}-${"t".repeat(index % 50)}`;
      const method = current.kind === "head" ? "HEAD" : current.kind === "post" ? "POST" : "GET";
      const stream = openStream(router.accept, { method, path: token, ...(method === "POST" ? { contentLength: 4, end: false } : {}) });
      if (method === "POST" && current.conduct.shape !== "early") {
        stream.send("body");
        stream.finish();
      }
      if (current.kind === "leaves") {
        await Promise.race([stream.done(), new Promise((resolve) => setImmediate(resolve))]);
        stream.cancel();
        continue;
      }
      const problem = await judge(stream, token, current);
      if (problem !== undefined) problems.push(problem);
      if (stream.outcome?.kind === "end") whole++;
      // The rest of an upload whose answer came early.
      if (method === "POST" && current.conduct.shape === "early") stream.cancel();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  expect(problems).toEqual([]);
  expect(whole).toBeGreaterThan(EXCHANGES / 4);
  expect(origin.accepted).toBeLessThan(EXCHANGES);
  expect(router.health().get("app")).toMatchObject([{ outstanding: 0 }]);
}, 60_000);
