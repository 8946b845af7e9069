// R-D4: a connection to an origin is used again only after a whole exchange; answers never change hands.

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ok } from "./support/origin.ts";
import { useBed } from "./support/bed.ts";
import { ask, expectForwarded, visit } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const POISON = ok("poison", "X-Poison: yes");

test("R-D4: whole exchanges share one connection", async () => {
  await expectForwarded(bed(), write("/a"));
  const { connection } = await expectForwarded(bed(), write("/b"));
  const next = await expectForwarded(bed(), write("/c", { method: "POST", fields: ["Content-Length: 1"], body: "x" }));
  expect(next.connection).toBe(connection);
});

describe("R-D4: what poisons a connection never reaches the next visitor", () => {
  test.each([
    ["a second answer", () => ok("first") + POISON, "GET"],
    ["bytes behind the answer", () => `${ok("first")}HTTP/1.1 200`, "GET"],
    ["a body on 204", () => `HTTP/1.1 204 No Content\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`, "GET"],
    ["a body on 304", () => `HTTP/1.1 304 Not Modified\r\n\r\n${POISON}`, "GET"],
    ["a body on HEAD", () => `HTTP/1.1 200 OK\r\nContent-Length: ${POISON.length}\r\n\r\n${POISON}`, "HEAD"],
    ["chunks and more", () => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n${POISON}`, "GET"],
    ["an answer before the body", () => ok("early"), "POST"],
    [
      "a 101 nobody asked for",
      () => `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${POISON}`,
      "GET",
    ],
    ["two lengths", () => `HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: ${POISON.length + 1}\r\n\r\na${POISON}`, "GET"],
  ])("%s", async (_name, poison, method) => {
    let first = true;
    bed().open.respond = (request) => {
      if (!first) return ok(request.target);
      first = false;
      return poison();
    };
    const body = method === "POST" ? "hello" : "";
    await visit(bed(), write("/first", { method, fields: method === "POST" ? ["Content-Length: 5"] : [], body }), [method]);
    for (const target of ["/second", "/third"]) {
      const response = await ask(bed(), target);
      expect([response.status, response.body, response.value("x-poison")]).toEqual([200, target, undefined]);
    }
  });
});

test("R-D4: among many visitors of a poisoned origin each gets its own answer or an error", async () => {
  let count = 0;
  bed().open.respond = (request) => ok(request.target) + (++count % 3 === 0 ? POISON : "");
  for (let round = 0; round < 15; round++) {
    const targets = Array.from({ length: 6 }, (_, i) => `/${round}-${i}-${randomBytes(4).toString("hex")}`);
    const answers = await Promise.all(targets.map((target) => ask(bed(), target)));
    for (const [i, { status, body }] of answers.entries()) if (status === 200) expect(body).toBe(targets[i]);
  }
});

test("R-D4: a kept connection that dies is tried again once, for a request that may be repeated", async () => {
  for (const [method, expected] of [
    ["GET", 200],
    ["POST", 502],
  ] as const) {
    bed().open.reset();
    await expectForwarded(bed(), write("/warm"));
    let deaths = 0;
    bed().open.respond = (request, socket) => {
      if (request.target !== "/dies" || ++deaths > 1) return ok(request.target);
      socket.destroy();
      return undefined;
    };
    const response = await ask(bed(), "/dies", {
      method,
      fields: method === "POST" ? ["Content-Length: 1"] : [],
      body: method === "POST" ? "x" : "",
    });
    expect([method, response.status]).toEqual([method, expected]);
  }
});

test("R-D4: a connection that dies twice is an error, not a loop", async () => {
  await expectForwarded(bed(), write("/warm"));
  let deaths = 0;
  bed().open.respond = (_request, socket) => {
    deaths++;
    socket.destroy();
  };
  expect((await ask(bed(), "/dies")).status).toBe(502);
  expect(deaths).toBeLessThanOrEqual(2);
});
