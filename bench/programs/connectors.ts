// Load of connectors-1000, a process of its own: many connectors in one process, made of the product's own parts.
// Arguments: connector.yaml, count. Prints `ready N` when all are connected, and ends with an error if one is lost.

import { credentialOrExplain, loadOrExplain } from "@sallyport/connector/commands/setup";
import { processIo } from "@sallyport/connector/commands/io";
import { createConnector } from "@sallyport/connector/connector";
import type { Connector } from "@sallyport/connector/connector";
import { createLogger } from "@sallyport/connector/observe/logger";
import { systemClock } from "@sallyport/shared/clock";

/** The relay admits 200 handshakes a second; more would be told to come back, which is not what is measured. */
const START_EVERY_MS = 25;
const CHECK_EVERY_MS = 100;

const [file = "", count = ""] = process.argv.slice(2);
const loaded = loadOrExplain(file, false, processIo);
const found = loaded && credentialOrExplain(undefined, loaded.config, processIo);
if (loaded === undefined || found === undefined) process.exit(1);

const logger = createLogger("error", 2);
const connectors: Connector[] = [];
const starting = setInterval(() => {
  const connector = createConnector({ ...loaded, ...found, software: "sallyport-bench/0", environment: {}, logger, clock: systemClock });
  connectors.push(connector);
  void connector.start();
  if (connectors.length >= Number(count)) clearInterval(starting);
}, START_EVERY_MS);

let ready = false;
setInterval(() => {
  const connected = connectors.filter((connector) => connector.status().ready).length;
  if (!ready && connected >= Number(count)) {
    ready = true;
    process.stdout.write(`ready ${connected}\n`);
  } else if (ready && connected < Number(count)) throw new Error(`only ${connected} connectors are left`);
}, CHECK_EVERY_MS);
