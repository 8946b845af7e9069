// `sallyport-relay provider test`: signs in with one provider and shows what a policy would see (A3). Works without a running
// relay and before anything is published. Shows no token.

import { createInterface, type Interface } from "node:readline/promises";
import { systemClock } from "@sallyport/shared/clock";
import { SallyportError } from "@sallyport/shared/errors";
import { type Command, InvalidArgumentError } from "commander";
import type { IdentityProvider, LoginResult } from "../authn/provider.ts";
import { createProviders } from "../authn/providers.ts";
import type { RelayConfig } from "../config/types.ts";
import { type ContextArguments, findPlace, printer, reportErrors } from "./context.ts";
import { configOption, ExitCode, jsonOption } from "./output.ts";
import { loginByPasting, loginByPin, loginOnLoopback, type Terminal } from "./provider-login.ts";
import { describeLogin } from "./provider-text.ts";

const LOOPBACK_TIMEOUT_MS = 600_000;

interface TestArguments extends ContextArguments {
  readonly loopback?: number;
}

export function registerProviderCommand(program: Command): void {
  const provider = program
    .command("provider")
    .summary("try identity providers out")
    .description("Identity providers are configured in relay.yaml; docs/identity-providers.md says what to register where.");

  provider
    .command("test <name>")
    .summary("sign in once and show the claims")
    .description(
      "Signs in with a provider of relay.yaml and shows what policies would see. By default the browser goes to the relay's own\ncallback, and its address is pasted here. With --loopback it comes back to this command; then\nhttp://127.0.0.1:PORT/callback/NAME has to be registered at the provider too.",
    )
    .option("--loopback <port>", "listen on this port of 127.0.0.1 for the browser", readPort)
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExit codes: 0 signed in, 1 not.\n\nExample:\n  $ sallyport-relay provider test corp\n")
    .action((name: string, args: TestArguments) => test(name, args));
}

async function test(name: string, args: TestArguments): Promise<void> {
  await reportErrors(args.json === true, async (output) => {
    const { config } = await findPlace(args);
    if (config === undefined) throw new SallyportError("ERR_PROVIDER_TEST", "this command needs the configuration");
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      // The dialogue goes to standard error: with --json standard output is for programs.
      const terminal = {
        say: (text: string) => output.error(text),
        ask: (question: string) => Promise.race([lines.question(question), ended(lines)]),
      };
      const result = await login(providerOf(config, name, terminal), config, args, terminal);
      printer(output, args.json === true)(shown(result), describeLogin(name, result));
      return result.kind === "login" ? ExitCode.ok : ExitCode.problems;
    } finally {
      lines.close();
    }
  });
}

/** Rejects at the end of standard input, which a question alone would wait for in vain. */
function ended(lines: Interface): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  lines.once("close", () => reject(new SallyportError("ERR_PROVIDER_TEST", "standard input ended; run this command on a terminal")));
  return promise;
}

function providerOf(config: RelayConfig, name: string, terminal: Terminal): IdentityProvider {
  const providers = createProviders(config.identityProviders, {
    clock: systemClock,
    authUrl: config.authUrl.origin,
    onProblem: (_provider, explanation) => terminal.say(`${explanation}\n`),
    showOnTerminal: (line) => terminal.say(`${line}\n`),
  });
  const provider = providers.get(name);
  if (provider !== undefined) return provider;
  const known = [...providers.keys()].join(", ") || "none is configured";
  throw new SallyportError("ERR_PROVIDER_UNKNOWN", `there is no identity provider ${JSON.stringify(name)}: ${known}`);
}

async function login(provider: IdentityProvider, config: RelayConfig, args: TestArguments, terminal: Terminal): Promise<LoginResult> {
  if (provider.kind === "pin") return await loginByPin(provider, terminal);
  if (args.loopback !== undefined)
    return await loginOnLoopback(provider, { port: args.loopback, timeoutMs: LOOPBACK_TIMEOUT_MS }, terminal);
  return await loginByPasting(provider, `${config.authUrl.origin}/callback/${provider.name}`, terminal);
}

/** Without tokens; a missing fact is said, since to policies it is unknown rather than none. */
export function shown(result: LoginResult): unknown {
  if (result.kind === "problem") return result;
  const { identity, refreshToken, providerSessionId } = result.login;
  const { email = null, name = null, groups = null, authMethods = null, ...rest } = identity;
  const renewal = refreshToken === undefined ? "none" : refreshToken.startsWith("rt.") ? "refresh token" : "access token, while it lives";
  return {
    kind: "login",
    identity: { ...rest, email, name, groups, authMethods },
    renewal,
    backChannelLogout: providerSessionId !== undefined,
  };
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("Write a port number.");
  return port;
}
