// R-A13: what a service does to the path and the host of a request, it does to Destination of COPY and MOVE as well.

import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordingOrigin } from "./support/origin.ts";
import { startRogueRelay, type Outcome, type RogueRelay } from "./support/rogue-relay.ts";

const stack = new AsyncDisposableStack();
const origin = new RecordingOrigin();
let rogue: RogueRelay;
beforeAll(async () => {
  await origin.listen();
  rogue = await startRogueRelay(stack, {
    open: origin.url,
    named: { url: origin.url, hostHeader: "dav.internal" },
    prefixed: { url: origin.url, stripPrefix: "/files", addPrefix: "/dav" },
  });
});
afterAll(async () => {
  await stack.disposeAsync();
  await origin.close();
});

async function move(service: string, destination: string): Promise<Outcome> {
  const fields = ["destination", destination];
  return await rogue.open({ service, method: "MOVE", path: "/files/a", fields }, { token: rogue.token(rogue.claims({ service })) });
}

test.each([
  ["open", "https://app.example.test/b%20c?x", "https://app.example.test/b%20c?x"],
  ["open", "/b", "/b"],
  ["named", "https://app.example.test/b", "https://dav.internal/b"],
  ["named", "https://APP.example.test/b", "https://dav.internal/b"],
  ["named", "https://other.example.test/b", "https://other.example.test/b"],
  ["prefixed", "https://app.example.test/files/b", "https://app.example.test/dav/b"],
  ["prefixed", "/files/b/c", "/dav/b/c"],
])("R-A13: of service %s, %s becomes %s", async (service, sent, received) => {
  expect(await move(service, sent)).toMatchObject({ status: 200 });
  expect(origin.requests.at(-1)?.values("destination")).toEqual([received]);
});

test.each(["/other/b", "/filesx", "https://app.example.test/b", "/files//b", "/files/../b"])(
  "R-A13: %s does not fit the prefix that is cut off: nothing is written",
  async (destination) => {
    const before = origin.requests.length;
    expect(await move("prefixed", destination)).toMatchObject({ reset: "REQUEST_INVALID" });
    expect(origin.requests).toHaveLength(before);
  },
);
