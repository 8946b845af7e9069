// R-M3: a request has one record, under the id that its visitor was told, however it ended; also one that broke after it was
// decided, whose record says who was let in where.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RawClient } from "../harness/raw-client.ts";
import { eventually } from "../harness/scratch.ts";
import { AUTH_HOST, type Bed, createBed } from "./support/bed.ts";
import { readResponses, write } from "./support/wire.ts";

function recordsOf(bed: Bed): readonly Readonly<Record<string, unknown>>[] {
  const folder = join(bed.folder, "state", "records");
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"));
  return lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ kind, host }) => kind === "request" && host !== AUTH_HOST);
}

const POST = { method: "POST", close: false } as const;
const CHUNKED = ["Transfer-Encoding: chunked"];

test.each([
  ["stops coming", 408, "ERR_BODY_TIMEOUT", "body-timeout", write("/slow", { ...POST, fields: ["Content-Length: 10"], body: "hello" })],
  [
    "breaks its framing",
    400,
    "ERR_REQUEST_FRAMING",
    "malformed",
    write("/odd", { ...POST, fields: CHUNKED, body: "5\r\nhello\r\nzz\r\n" }),
  ],
])("R-M3: a request whose body %s has one record, with the decision that let it in", async (_, status, code, reason, request) => {
  await using stack = new AsyncDisposableStack();
  const bed = await createBed(stack, { relay: { limits: { requestBodyIdle: "1s" } } });
  using client = await RawClient.connect({ port: bed.port });
  client.send(request);
  const [response] = readResponses(await client.untilClosed());
  expect([response?.status, response?.value("sallyport-error")]).toEqual([status, code]);
  const requestId = response?.value("sallyport-request-id");
  // A later request's record is written after whatever else the first one would have.
  using other = await RawClient.connect({ port: bed.port });
  other.send(write("/later", {}));
  await other.untilClosed();
  await eventually(() => recordsOf(bed).some(({ path }) => path === "/later"), { what: "the later record" });
  const records = recordsOf(bed).filter(({ path }) => path !== "/later");
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({ requestId, status, code, reason, decision: "bypass", application: expect.any(String) as unknown });
});
