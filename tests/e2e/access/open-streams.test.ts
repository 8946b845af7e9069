// An administrator ends a person's sessions while pages of theirs hold a WebSocket and an event stream open (A8, R-I2): what
// the browser sees, and when. Somebody else's stay open.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import type { RequestListener } from "node:http";
import { signInTo, useAccessBed } from "../../harness/access-bed.ts";
import { eventually, within } from "../../harness/scratch.ts";

/** R-I2. */
const CLOSED_WITHIN_MS = 5_000;

const PAGE = `<!doctype html><title>live</title><script>
  const seen = (window.seen = { opened: [] });
  const socket = new WebSocket(location.origin.replace("https", "wss") + "/socket");
  socket.onopen = () => seen.opened.push("socket");
  socket.onclose = ({ code, wasClean }) => (seen.socket = { code, wasClean, atMs: Date.now() });
  fetch("/events").then(async ({ body }) => {
    const reader = body.getReader();
    await reader.read();
    seen.opened.push("events");
    try {
      while (!(await reader.read()).done);
      seen.events = { how: "ended", atMs: Date.now() };
    } catch {
      seen.events = { how: "cut", atMs: Date.now() };
    }
  });
</script>`;

const origin: RequestListener = (request, response) => {
  if (request.url !== "/events") return void response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write("data: 1\n\n");
};
const bed = useAccessBed({ origin });

interface Seen {
  readonly opened: readonly string[];
  readonly socket?: { readonly code: number; readonly wasClean: boolean; readonly atMs: number };
  readonly events?: { readonly how: string; readonly atMs: number };
}

const seenBy = (page: Page): Promise<Seen> => page.evaluate<Seen>("window.seen");

async function openLive(subject: string): Promise<Page> {
  const page = await signInTo(bed(), await bed().browser.newContext(), bed().url("wiki", "/live"), subject);
  await eventually(async () => (await seenBy(page)).opened.length === 2, { what: `${subject}'s WebSocket and event stream` });
  return page;
}

test("session revoke closes an open WebSocket with 1008 and cuts an event stream within 5 s, and nothing of anybody else", async () => {
  bed().origin.server.on("upgrade", (request, socket) => {
    const key = `${request.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket
      .on("error", () => undefined)
      .on("end", () => socket.end())
      .resume();
  });
  const [anns, bobs] = [await openLive("ann"), await openLive("bob")];

  const startedAtMs = Date.now();
  expect(await bed().relay.mustRun("session", "revoke", "--email", "ann@example.com")).toMatch(/^Signed out ann@example\.com/);
  const commandTookMs = Date.now() - startedAtMs;
  const { socket, events } = await within(
    CLOSED_WITHIN_MS,
    "both streams to close",
    eventually(
      async () => {
        const seen = await seenBy(anns);
        return seen.socket !== undefined && seen.events !== undefined && { socket: seen.socket, events: seen.events };
      },
      { what: "both streams to close" },
    ),
  );
  expect(socket).toMatchObject({ code: 1008, wasClean: true });
  // A cut that the page can tell from an end.
  expect(events.how).toBe("cut");
  const [socketMs, eventsMs] = [socket.atMs - startedAtMs, events.atMs - startedAtMs];
  console.log(`from the start of the command (${commandTookMs} ms): WebSocket closed after ${socketMs} ms, events after ${eventsMs} ms`);
  expect(Math.max(socketMs, eventsMs)).toBeLessThan(CLOSED_WITHIN_MS);

  const status = "fetch('/', { headers: { accept: 'application/json' } }).then((answer) => answer.status)";
  expect(await anns.evaluate<number>(status)).toBe(401);
  expect(await bobs.evaluate<number>(status)).toBe(200);
  expect(await seenBy(bobs)).toEqual({ opened: expect.arrayContaining(["socket", "events"]) as unknown });
});
