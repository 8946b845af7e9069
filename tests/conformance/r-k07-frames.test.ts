// R-K7: a frame that breaks the protocol ends its connection, and nothing else: the relay and its other tunnels go on.

import { FrameType } from "@sallyport/shared/protocol/frame";
import { GoawayReason } from "@sallyport/shared/protocol/codes";
import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { RogueConnector } from "./support/rogue-connector.ts";
import { ask, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};

type Attack = (connector: RogueConnector) => void;

const ATTACKS: readonly (readonly [string, Attack])[] = [
  ["an empty message", (c) => c.sendRaw(Buffer.alloc(0))],
  ["half a header", (c) => c.sendRaw(Buffer.of(7, 0, 0))],
  ["a payload that is not there", (c) => c.sendRaw(Buffer.of(7, 0, 0, 100, 0, 0, 0, 1, 1, 2))],
  ["a claimed length of 0xffffff", (c) => c.sendRaw(Buffer.of(7, 0xff, 0xff, 0xff, 0, 0, 0, 1))],
  ["a header of 0xff", (c) => c.sendRaw(Buffer.alloc(8, 0xff))],
  ["a frame of 256 KiB and one byte", (c) => c.sendRaw(Buffer.concat([Buffer.of(7, 4, 0, 1, 0, 0, 0, 1), Buffer.alloc(262_145)]))],
  ["a message over 1 MiB", (c) => c.sendRaw(Buffer.alloc(1_048_577))],
  ["a text message", (c) => c.sendText("GET / HTTP/1.1")],
  ["an unknown frame type", (c) => c.send(0x7f, 0)],
  ["type 0", (c) => c.send(0, 0)],
  ["a second PROOF", (c) => c.send(FrameType.PROOF, 0, Buffer.alloc(32))],
  ["KEYS, which only a relay sends", (c) => c.send(FrameType.KEYS, 0, Buffer.from("x.y.z"))],
  ["ASSERTION, which only a relay sends", (c) => c.send(FrameType.ASSERTION, 0, Buffer.from("\0\x01x.y.z"))],
  ["HEAD for a stream that never was", (c) => c.answer(77, { status: 200, fields: [] }, "x")],
  ["DATA for a stream that never was", (c) => c.send(FrameType.DATA, 77, Buffer.from("x"))],
  ["DATA on stream 0", (c) => c.send(FrameType.DATA, 0, Buffer.from("x"))],
  ["PING on a stream", (c) => c.send(FrameType.PING, 1, Buffer.alloc(8))],
  ["a PING of 7 bytes", (c) => c.send(FrameType.PING, 0, Buffer.alloc(7))],
  ["credit of 0xffffffff", (c) => c.send(FrameType.WINDOW, 0, u32(0xffff_ffff))],
  [
    "credit that overflows",
    (c) => {
      c.send(FrameType.WINDOW, 0, u32(0x7fff_ffff));
      c.send(FrameType.WINDOW, 0, u32(0x7fff_ffff));
    },
  ],
  ["credit of 3 bytes", (c) => c.send(FrameType.WINDOW, 0, Buffer.alloc(3))],
  ["a GOAWAY that is cut", (c) => c.send(FrameType.GOAWAY, 0, Buffer.alloc(3))],
];

test.each(ATTACKS)("R-K7: %s ends the connection; other tunnels go on", async (_name, attack) => {
  await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
  attack(connector);
  const { code } = await connector.ended();
  // 1009: the WebSocket layer itself refused the size.
  expect([4000, 1009, 1006]).toContain(code);
  if (code === 4000) expect(connector.goaway?.reason).toBe(GoawayReason.PROTOCOL_ERROR);
  await expectForwarded(bed(), write("/alive"));
});

describe("R-K7: answers that break the protocol end the connection, and the visitor gets an error", () => {
  const ANSWERS: readonly (readonly [string, (c: RogueConnector, stream: number) => void])[] = [
    ["a body before its head", (c, s) => c.send(FrameType.DATA, s, Buffer.from("x"))],
    [
      "a head twice",
      (c, s) => {
        c.send(FrameType.HEAD, s, Buffer.of(0, 200, 0, 0));
        c.send(FrameType.HEAD, s, Buffer.of(0, 200, 0, 0));
      },
    ],
    ["an empty head", (c, s) => c.send(FrameType.HEAD, s)],
    ["a head whose fields do not fit", (c, s) => c.send(FrameType.HEAD, s, Buffer.of(0, 200, 0xff, 0xff, 0, 0))],
    ["a status of 42", (c, s) => c.send(FrameType.HEAD, s, Buffer.of(0, 42, 0, 0))],
    [
      "more bytes than there is credit",
      (c, s) => {
        c.send(FrameType.HEAD, s, Buffer.of(0, 200, 0, 0));
        for (let i = 0; i < 300; i++) c.send(FrameType.DATA, s, Buffer.alloc(262_144));
      },
    ],
    ["a RESET that is cut", (c, s) => c.send(FrameType.RESET, s, Buffer.alloc(1))],
  ];

  test.each(ANSWERS)("%s", async (_name, attack) => {
    await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
    connector.onOpen = (stream) => attack(connector, stream);
    const answer = ask(bed(), "/x", { host: "lab.example.test" }).catch(() => undefined);
    await connector.ended();
    const response = await answer;
    expect(response === undefined || response.status >= 500 || !response.complete).toBe(true);
    await expectForwarded(bed(), write("/alive"));
  });

  test("DATA after the end of an answer is no part of any answer", async () => {
    await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
    connector.onOpen = (stream) => {
      connector.answer(stream, { status: 200, fields: ["Content-Length", "4"] }, "good");
      connector.send(FrameType.DATA, stream, Buffer.from("poison"));
    };
    expect((await ask(bed(), "/x", { host: "lab.example.test" })).body).toBe("good");
    await expectForwarded(bed(), write("/alive"));
  });
});

describe("R-K7: an answer that HTTP cannot carry is an error, whatever the connector says", () => {
  test.each([
    ["CR LF in a value", ["X-A", "a\r\nSet-Cookie: evil=1"]],
    ["CR LF in a name", ["X-A\r\nSet-Cookie", "evil=1"]],
    ["NUL in a value", ["X-A", "a\0b"]],
    ["a name that is no token", ["X A", "evil"]],
    ["an empty name", ["", "evil"]],
    ["two lengths", ["Content-Length", "2", "Content-Length", "4"]],
    ["a length that is none", ["Content-Length", "+4"]],
    ["Connection that names a security field", ["Connection", "Content-Security-Policy"]],
  ])("%s", async (_name, fields) => {
    await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
    connector.onOpen = (stream) => connector.answer(stream, { status: 200, fields }, "evil");
    const response = await ask(bed(), "/x", { host: "lab.example.test" });
    expect(response.status).toBeGreaterThanOrEqual(500);
    expect(JSON.stringify([response.fields, response.body])).not.toContain("evil");
  });

  test("fields that belong to the relay, its cookies and framing do not pass", async () => {
    await using connector = await RogueConnector.connect(bed(), bed().credentials.lab);
    const fields = [
      "Sallyport-Error",
      "forged",
      "Set-Cookie",
      "__Host-Sallyport_Session=forged",
      "Transfer-Encoding",
      "chunked",
      "Connection",
      "close, X-B",
      "X-B",
      "forged",
      "Keep-Alive",
      "forged",
      "Content-Length",
      "4",
    ];
    connector.onOpen = (stream) => connector.answer(stream, { status: 200, fields }, "good");
    const response = await ask(bed(), "/x", { host: "lab.example.test" });
    expect([response.status, response.body, response.complete]).toEqual([200, "good", true]);
    expect(JSON.stringify(response.fields)).not.toContain("forged");
    expect(response.values("transfer-encoding")).toEqual([]);
  });
});
