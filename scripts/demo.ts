// `npm start`: the whole of Sallyport on this machine: a relay, a connector that reaches it outbound only, and private
// services, one open, one behind a sign-in whose code this terminal shows, one behind a service token.
// `npm start -- --once` sends real requests through every leg instead, says what each saw, and ends.

import { parseArgs } from "node:util";
import { startConnector } from "../tests/harness/connector.ts";
import { startRelay } from "../tests/harness/relay.ts";
import { freePort } from "../tests/harness/scratch.ts";
import { LEGS } from "./demo/legs.ts";
import type { Demo } from "./demo/legs.ts";
import { SIGN_IN_CODE } from "../tests/harness/sign-in.ts";
import { startPrivateService } from "./demo/private-service.ts";

const PREFERRED_PORT = 8080;

const USAGE = `usage: npm start                run relay, connector and sample services until Ctrl-C
       npm start -- --once      send requests through every leg, say what each saw, end
       npm start -- --port N    listen on port N of 127.0.0.1 (default ${PREFERRED_PORT}, or a free one)
`;

interface Arguments {
  readonly once: boolean;
  readonly port: number | undefined;
}

function readArguments(): Arguments | "help" | "invalid" {
  try {
    const { values } = parseArgs({
      options: { once: { type: "boolean" }, port: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
    if (values.help === true) return "help";
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) return "invalid";
    return { once: values.once === true, port };
  } catch {
    return "invalid";
  }
}

/** Whoever can read this terminal can sign in, as anybody: for one machine, never for a network. */
const SIGN_IN = {
  identityProviders: [{ name: "email", type: "one-time-pin", delivery: "terminal" }],
  policies: [
    { name: "public", action: "bypass", include: [{ everyone: true }] },
    { name: "programs", action: "service", include: [{ anyServiceToken: true }] },
    { name: "signed-in", action: "allow", include: [{ everyone: true }] },
  ],
};

async function startDemo(stack: AsyncDisposableStack, port: number): Promise<Demo> {
  const applications = [
    { name: "hello" },
    { name: "notes", policies: ["signed-in"] },
    { name: "api", policies: ["programs", "signed-in"] },
  ];
  const relay = await startRelay(stack, { applications, port, config: SIGN_IN });
  const token = await relay.createServiceToken("demo");
  const servicePort = await startPrivateService(stack);
  const connector = await startConnector(stack, relay, {
    services: { hello: "hello", notes: "hello", api: `http://127.0.0.1:${servicePort}` },
  });
  return { relay, connector, token };
}

/** Runs every leg; resolves with the names of those that failed. */
async function runLegs(demo: Demo): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of LEGS) {
    try {
      process.stdout.write(`ok    ${name.padEnd(26)}${await run(demo)}\n`);
    } catch (error) {
      failed.push(name);
      process.stdout.write(`FAIL  ${name.padEnd(26)}${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return failed;
}

function explain({ relay, token }: Demo): string {
  return `
A relay, a connector and three private services are running. Open in a browser:

  http://${relay.host("notes")}/   asks you to sign in: type any email address, read the code here
  http://${relay.host("hello")}/   open to everybody
  http://${relay.host("auth")}/    your applications, and the way out

Programs call http://${relay.host("api")}/ with a service token. Try it without, then with it:

  curl -i http://${relay.host("api")}/
  curl -i -H 'Sallyport-Client-Id: ${token.clientId}' \\
       -H 'Sallyport-Client-Secret: ${token.clientSecret}' \\
       http://${relay.host("api")}/

Configuration: ${relay.configFile}
Metrics:       http://127.0.0.1:${relay.adminPort}/metrics

Ctrl-C stops everything and removes its files.
`;
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

async function choosePort({ once, port }: Arguments): Promise<number> {
  if (port !== undefined) return port;
  return once ? await freePort() : await freePort(PREFERRED_PORT);
}

async function main(): Promise<number> {
  const args = readArguments();
  if (args === "help" || args === "invalid") {
    (args === "help" ? process.stdout : process.stderr).write(USAGE);
    return args === "help" ? 0 : 2;
  }
  const stopped = interrupted();
  await using stack = new AsyncDisposableStack();
  const demo = await startDemo(stack, await choosePort(args));
  if (args.once) {
    const failed = await runLegs(demo);
    process.stdout.write(failed.length === 0 ? `all ${LEGS.length} legs work\n` : `failed: ${failed.join(", ")}\n`);
    return failed.length === 0 ? 0 : 1;
  }
  process.stdout.write(explain(demo));
  demo.relay.program.onLine((line) => {
    if (SIGN_IN_CODE.test(line)) process.stdout.write(`\n  ${line}\n`);
  });
  const ended = Promise.race([demo.relay.program.exited, demo.connector.program.exited]);
  const why = await Promise.race([stopped.then(() => "interrupted" as const), ended.then(() => "ended" as const)]);
  if (why === "interrupted") return 0;
  process.stderr.write(`a program ended by itself:\n${demo.relay.program.tail(10)}\n${demo.connector.program.tail(10)}\n`);
  return 1;
}

process.exitCode = await main();
