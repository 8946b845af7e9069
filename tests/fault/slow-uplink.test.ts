// A line of 64 kbit/s with a large transfer in each direction: slow is not dead. Messages take seconds to arrive, and pings wait
// behind what the sockets hold already; no connection ends over it, and no byte is lost.

import { expect, test } from "vitest";
import { receiveBulk, sendBulk } from "../harness/bulk.ts";
import { startConnector } from "../harness/connector.ts";
import { FaultForwarder } from "../harness/fault-forwarder.ts";
import { startOrigin } from "../harness/origin.ts";
import { startRelay } from "../harness/relay.ts";
import { freePort, within } from "../harness/scratch.ts";
import { answer, openVisit, visit } from "../harness/visitor.ts";

const BYTES_PER_SECOND = 8_000;
/** Well over twice the longest silence that is taken for life (14 s), in each direction. */
const TRANSFER_BYTES = 32 * BYTES_PER_SECOND;
const PATIENCE_MS = 150_000;

test(
  "64 kbit/s: a large upload and a large download at once arrive whole, and the tunnel stays up",
  { timeout: PATIENCE_MS + 20_000 },
  async () => {
    await using stack = new AsyncDisposableStack();
    const origin = await startOrigin(stack, (request, response) => {
      if (request.method === "GET") return void sendBulk(response, TRANSFER_BYTES).then((sha256) => void (sent = sha256));
      void receiveBulk(request).then(({ sha256 }) => response.end(sha256));
    });
    let sent = "";
    const port = await freePort();
    const forwarder = stack.use(await FaultForwarder.listen({ port }));
    const relay = await startRelay(stack, { applications: [{ name: "web" }], port, publicPort: forwarder.port });
    // One connection, so that both share its way.
    const connector = await startConnector(stack, relay, { services: { web: origin.url }, config: { connections: 1 } });
    forwarder.faults = { bytesPerSecond: BYTES_PER_SECOND };

    const download = openVisit(relay, "web", "/down");
    download.end();
    const upload = openVisit(relay, "web", "/up", { method: "POST" });
    const uploaded = sendBulk(upload, TRANSFER_BYTES);
    const down = answer(download).then(receiveBulk);
    const up = answer(upload).then(async (response) => {
      let text = "";
      for await (const chunk of response) text += String(chunk);
      return text;
    });
    const [received, hashed] = await within(PATIENCE_MS, "both transfers", Promise.all([down, up]));
    expect(received).toEqual({ bytes: TRANSFER_BYTES, sha256: sent });
    expect(hashed).toBe(await uploaded);
    expect(connector.program.output).not.toMatch(/ERR_TUNNEL_DEAD|not connected to the relay/);
    expect(await relay.metric("sallyport_tunnel_connects_total")).toBe(1);
    forwarder.faults = {};
    expect((await visit(relay, "web", "/down")).status).toBe(200);
  },
);
