// Fuzz targets of the wire protocol: frames, heads, control payloads, hellos, handshakes, and the WebSocket frames below and beside
// them (R-K7, R-L4). What is accepted can be written again and is the same; the only error is a violation.

import { encodeAssertion, encodeGoaway, readAssertion, readCredit, readGoaway, readReset } from "@sallyport/shared/protocol/control";
import { encodeFrame, readFrames } from "@sallyport/shared/protocol/frame";
import {
  prepareHead,
  prepareOpen,
  readHead,
  readOpen,
  readTrailers,
  StreamKind,
  writeHead,
  writeOpen,
  type OpenHead,
} from "@sallyport/shared/protocol/head";
import { parseConnectorHello, parseRelayHello } from "@sallyport/shared/protocol/hello";
import { openProblem } from "@sallyport/shared/protocol/open-grammar";
import { ProtocolViolation } from "@sallyport/shared/protocol/violation";
import { isForwardablePath } from "@sallyport/shared/http/path";
import { encodeClose, encodeFrame as encodeWebSocket, WebSocketBytesReader } from "@sallyport/shared/http/websocket-bytes";
import { WebSocketFrameFollower } from "@sallyport/relay/ingress/websocket-frames";
import { ANSWER, attackHandshakes, HELLO } from "../fault/hostile-frames-handshake.ts";
import { Random } from "../fault/hostile-frames-random.ts";
import { recordSessions, type Session } from "../fault/hostile-frames-record.ts";
import { divided, holdsControl, latin1, promise, same, type FuzzTarget } from "./target.ts";

/** @returns the violation's code; any other error is a finding */
function violationOf(error: unknown): string {
  if (error instanceof ProtocolViolation) return error.code;
  throw error;
}

const OPEN: OpenHead = {
  kind: StreamKind.HTTP,
  service: "wiki",
  assertion: 1,
  method: "POST",
  path: "/a?b",
  authority: "app.example.test",
  fields: ["X-A", "b", "x-a", "c", "Cookie", "d=e"],
  contentLength: 5,
};

function openBytes(open: OpenHead): Buffer {
  const { text, payloadBytes } = prepareOpen(open);
  const bytes = Buffer.alloc(payloadBytes);
  writeOpen(open, text, bytes, 0);
  return bytes;
}

const frames: FuzzTarget = {
  name: "frames",
  seeds: () => [
    Buffer.concat([encodeFrame(5, 1, openBytes(OPEN)), encodeFrame(7, 1, Buffer.from("hello"), true)]),
    encodeFrame(11, 0, Buffer.alloc(8)),
    encodeFrame(0x80, 3, Buffer.from("extension")),
  ],
  words: ["\0\0\0\0", "\xff\xff\xff\xff", "\x05\0\0\x05\0\0\0\x01", "\x07\0\0\0\x80\0\0\x01"],
  run(input) {
    const again: Buffer[] = [];
    const sink = {
      onFrame: (type: number, end: boolean, streamId: number, message: Buffer, start: number, stop: number): void =>
        void again.push(encodeFrame(type, streamId, message.subarray(start, stop), end)),
    };
    try {
      readFrames(input, sink);
    } catch (error) {
      return violationOf(error);
    }
    promise(Buffer.concat(again).equals(input), "written again, another message");
    return `frames ${Math.min(again.length, 8)}`;
  },
};

const opens: FuzzTarget = {
  name: "heads",
  seeds: () => [
    openBytes(OPEN),
    openBytes({ ...OPEN, kind: StreamKind.TCP, method: "", path: "", fields: [], contentLength: undefined }),
    openBytes({ ...OPEN, kind: StreamKind.UPGRADE, fields: ["Upgrade", "websocket"], contentLength: undefined }),
  ],
  words: ["\r\n", "\0", "/", " ", "GET", "\xff\xff", "\0\0\0\x01", "Host", "Content-Length"],
  run(input) {
    try {
      const open = readOpen(input, 0, input.length);
      same("written again, another head", open, readOpen(openBytes(open), 0, openBytes(open).length));
      const problem = openProblem(open, false);
      if (problem !== undefined) return "grammar";
      if (open.kind !== StreamKind.TCP)
        promise(isForwardablePath(open.path) && !/\s/.test(open.method), "what cannot be written passed", open);
      for (const text of open.fields) promise(!holdsControl(text), "a control passed", text);
      return `open ${open.kind} ${open.contentLength === undefined}`;
    } catch (error) {
      return violationOf(error);
    }
  },
};

const answers: FuzzTarget = {
  name: "response-heads",
  seeds: () => {
    const head = { status: 200, fields: ["Content-Type", "text/plain", "Set-Cookie", "a=b"] };
    const { text, payloadBytes } = prepareHead(head);
    const bytes = Buffer.alloc(payloadBytes);
    writeHead(head, text, bytes, 0);
    return [bytes, bytes.subarray(2)];
  },
  words: ["\0\0", "\xff\xff", "\0\xc8", "\r\n"],
  run(input) {
    try {
      const head = readHead(input, 0, input.length);
      const { text, payloadBytes } = prepareHead(head);
      const bytes = Buffer.alloc(payloadBytes);
      writeHead(head, text, bytes, 0);
      same("written again, another head", head, readHead(bytes, 0, bytes.length));
      return `head ${Math.floor(head.status / 100)} ${Math.min(head.fields.length, 6)}`;
    } catch (error) {
      const code = violationOf(error);
      try {
        return `${code} trailers ${Math.min(readTrailers(input, 0, input.length).length, 6)}`;
      } catch (other) {
        return `${code} ${violationOf(other)}`;
      }
    }
  },
};

const control: FuzzTarget = {
  name: "control",
  seeds: () => [
    encodeGoaway({ lastStreamId: 7, reason: 1 as never, delayMs: 1_000, text: "drains" }),
    encodeAssertion(1, "a.b.c"),
    Buffer.of(0, 1, 0, 0, 0, 8),
    Buffer.of(0, 0, 1, 0),
  ],
  words: ["\0", "\xff\xff\xff\xff", "\x7f\xff\xff\xff"],
  run(input) {
    const readers = [readGoaway, readReset, readCredit, readAssertion] as const;
    return readers
      .map((reader) => {
        try {
          const value: unknown = reader(input, 0, input.length);
          const text = typeof value === "object" && value !== null && "text" in value ? String(value.text) : "";
          promise(!holdsControl(text), "a control in a text that is shown", text);
          return "read";
        } catch (error) {
          return violationOf(error);
        }
      })
      .join(" ");
  },
};

const hellos: FuzzTarget = {
  name: "hello",
  seeds: () => [Buffer.from(JSON.stringify(HELLO)), Buffer.from(JSON.stringify(ANSWER))],
  words: ['"', "{", "}", "[", "]", ",", ":", "null", "1e999", "-0", '"__proto__":', "\\u0000", '"services":[]', '"limits":{}', "é"],
  run(input) {
    const json = input.toString("utf8");
    return [parseConnectorHello, parseRelayHello]
      .map((parse) => {
        try {
          const hello = parse(json);
          same("written again, another hello", hello, parse(JSON.stringify(hello)));
          promise(({} as Record<string, unknown>)["polluted"] === undefined, "the prototype was changed");
          return "read";
        } catch (error) {
          return violationOf(error);
        }
      })
      .join(" ");
  },
};

let sessions: readonly Session[] | undefined;
/** Two whole handshakes, one on each side, with frames that the input chooses. */
const handshakes: FuzzTarget = {
  name: "handshake",
  seeds: () => latin1("0000", "1111"),
  words: [],
  async run(input) {
    sessions ??= await recordSessions();
    const hits = new Map();
    let seed = 0;
    for (const octet of input.subarray(0, 64)) seed = Math.imul(seed, 31) + octet;
    await attackHandshakes(sessions, 2, new Random(seed), hits);
    return [...hits.keys()].join(" ");
  },
};

/** What a reader told of one side's frames. */
function webSocketEvents(chunks: readonly Buffer[]): {
  readonly problem: string | undefined;
  readonly events: readonly string[];
  readonly bytes: string;
} {
  const events: string[] = [];
  let bytes = "";
  const reader = new WebSocketBytesReader(true, {
    onBytes: (chunk) => void (bytes += Buffer.from(chunk).toString("latin1")),
    onEnd: () => void events.push("end"),
    onPing: (payload) => void events.push(`ping ${Buffer.from(payload).toString("hex")}`),
    onClose: (code, reason) => void events.push(`close ${code} ${reason}`),
  });
  for (const chunk of chunks) {
    const problem = reader.push(Buffer.from(chunk));
    if (problem !== undefined) return { problem, events, bytes };
  }
  return { problem: undefined, events, bytes };
}

const webSockets: FuzzTarget = {
  name: "websocket",
  seeds: () => [
    Buffer.from(encodeWebSocket("data", Buffer.from("hello"), "zero")),
    Buffer.from(encodeWebSocket("data", Buffer.alloc(300, 1), "zero")),
    Buffer.from(encodeWebSocket("ping", Buffer.from("p"), "zero")),
    Buffer.from(encodeClose(1000, "bye", "zero")),
    Buffer.from(encodeWebSocket("data", Buffer.alloc(0), "zero")),
    Buffer.of(0x02, 0x81, 0, 0, 0, 0, 1, 0x80, 0x81, 0, 0, 0, 0, 2),
    Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4, 5),
  ],
  words: ["\x82\x80\0\0\0\0", "\x89\x80\0\0\0\0", "\x88\x80\0\0\0\0", "\x82\xff", "\xff\xff\xff\xff", "\xc2", "\x82\x05"],
  run(input, pick) {
    const whole = webSocketEvents([input]);
    same("divided otherwise, read otherwise", whole, webSocketEvents(divided(input, pick)));
    const [one, other] = [new WebSocketFrameFollower(), new WebSocketFrameFollower()];
    one.push(input);
    for (const piece of divided(input, pick)) other.push(piece);
    promise(one.atBoundary === other.atBoundary, "divided otherwise, another border");
    return `${whole.problem} ${whole.events
      .map((event) => event.split(" ")[0])
      .slice(0, 3)
      .join(" ")} ${one.atBoundary}`;
  },
};

export const PROTOCOL_TARGETS: readonly FuzzTarget[] = [frames, opens, answers, control, hellos, handshakes, webSockets];
