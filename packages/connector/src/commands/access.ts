// `sallyport access`: programs of this machine as a signed-in person (A16, T19). Names, options and help of its commands;
// each is a file of its own.

import { type Command, InvalidArgumentError, Option } from "commander";
import { accessCurl, type CurlOptions } from "./access-curl.ts";
import { accessLogin, type LoginOptions } from "./access-login.ts";
import { accessLogout, type LogoutOptions } from "./access-logout.ts";
import { accessSshConfig, type SshConfigOptions } from "./access-ssh-config.ts";
import { accessTcp, type ListenAddress, type TcpOptions } from "./access-tcp.ts";
import { accessToken } from "./access-token.ts";
import { EXIT_CODE_HELP, type ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

const MAX_PORT = 65_535;

export function addAccess(program: Command, io: Io, done: (code: ExitCode) => void): void {
  const access = program
    .command("access")
    .summary("use published applications from the command line")
    .description("Signs this machine in to applications behind a Sallyport relay, for curl, git, ssh and other programs.")
    .addHelpText(
      "after",
      `
Examples:
  sallyport access login https://grafana.example.com
  sallyport access curl https://grafana.example.com/api/health
  sallyport access tcp --hostname ssh.example.com

Programs that nobody sits in front of use a service token instead: sallyport-relay service-token create
${EXIT_CODE_HELP}`,
    );
  addLogin(access, io, done);
  addToken(access, io, done);
  addCurl(access, io, done);
  addLogout(access, io, done);
  addTcp(access, io, done);
  addSshConfig(access, io, done);
}

function addLogin(access: Command, io: Io, done: (code: ExitCode) => void): void {
  access
    .command("login")
    .summary("sign in to an application")
    .description("Signs in to an application in the browser and keeps the token for it, readable by you only.")
    .argument("<url>", "the application, https://grafana.example.com")
    .option("--no-browser", "print a page and a code instead, for a browser on another machine")
    .addOption(caOption())
    .option("--json", "print the result as one JSON object", false)
    .addHelpText(
      "after",
      `
Examples:
  sallyport access login https://grafana.example.com
  sallyport access login --no-browser grafana.example.com

The token is kept in $XDG_CONFIG_HOME/sallyport/access (default: ~/.config/sallyport/access).
It ends with the sign-in of the browser that confirmed it, and with: sallyport access logout
${EXIT_CODE_HELP}`,
    )
    .action(async (url: string, options: LoginOptions) => done(await accessLogin(url, options, io)));
}

function addToken(access: Command, io: Io, done: (code: ExitCode) => void): void {
  access
    .command("token")
    .summary("print the token for an application")
    .description("Prints the token for an application, for programs that set headers themselves. Exit code 1 when there is none.")
    .argument("<url>", "the application, or any page of it")
    .addHelpText(
      "after",
      `
Send it as the header Sallyport-Access-Token, or as Authorization: Bearer.
Keep it out of command lines, which every user of a machine can read.
${EXIT_CODE_HELP}`,
    )
    .action((url: string) => done(accessToken(url, io)));
}

function addCurl(access: Command, io: Io, done: (code: ExitCode) => void): void {
  access
    .command("curl")
    .summary("run curl as the signed-in person")
    .description("Runs curl with the token for the application. Redirects are not followed: the token would go along.")
    .argument("<url>", "the page")
    .argument("[arguments...]", "arguments for curl")
    .addOption(new Option("--ca <file>", "PEM file with the authorities that curl is to trust; stands before the URL"))
    .allowUnknownOption()
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Examples:
  sallyport access curl https://grafana.example.com/api/health
  sallyport access curl https://grafana.example.com/api/x --fail --silent --data @body.json

The token reaches curl through its standard input, never its arguments; so give bodies as files.
The exit code is curl's.`,
    )
    .action(async (url: string, args: readonly string[], options: CurlOptions) =>
      done((await accessCurl(url, args, options, io)) as ExitCode),
    );
  // What follows the URL is curl's, options included.
  access.enablePositionalOptions();
}

function addLogout(access: Command, io: Io, done: (code: ExitCode) => void): void {
  access
    .command("logout")
    .summary("end a sign-in of this machine")
    .description("Ends the token for an application at the relay and forgets it here. The browser stays signed in.")
    .argument("[url]", "the application")
    .option("--all", "every application that this machine is signed in to", false)
    .addOption(caOption())
    .addHelpText("after", EXIT_CODE_HELP)
    .action(async (url: string | undefined, options: LogoutOptions) => done(await accessLogout(url, options, io)));
}

function addTcp(access: Command, io: Io, done: (code: ExitCode) => void): void {
  access
    .command("tcp")
    .summary("connect to a TCP service, such as ssh")
    .description("Connects standard input and output to a published TCP service, or listens on this machine for programs that want a port.")
    .requiredOption("--hostname <name>", "the service's public name, ssh.example.com")
    .addOption(
      new Option("--listen <address>", "port or 127.0.0.1:port to listen on; each connection is one of its own").argParser(readListen),
    )
    .addOption(caOption())
    .addHelpText(
      "after",
      `
Examples:
  ssh -o ProxyCommand="sallyport access tcp --hostname %h" ann@ssh.example.com
  sallyport access tcp --hostname db.example.com --listen 127.0.0.1:5432

Who connects: the person of sallyport access login, or, where SALLYPORT_CLIENT_ID and
SALLYPORT_CLIENT_SECRET are set, that service token.
${EXIT_CODE_HELP}`,
    )
    .action(async (options: TcpOptions) => done(await accessTcp(options, io)));
}

function addSshConfig(access: Command, io: Io, done: (code: ExitCode) => void): void {
  access
    .command("ssh-config")
    .summary("print the block for ~/.ssh/config")
    .description("Prints the block for ~/.ssh/config that lets plain ssh, scp, rsync and git reach a published host.")
    .requiredOption("--hostname <name>", "the host's public name, ssh.example.com")
    .option("--ca <file>", "PEM file with authorities to trust for the relay beside the usual ones; written into the block")
    .addHelpText(
      "after",
      `
Example:
  sallyport access ssh-config --hostname ssh.example.com >> ~/.ssh/config
${EXIT_CODE_HELP}`,
    )
    .action((options: SshConfigOptions) => done(accessSshConfig(options, io)));
}

function caOption(): Option {
  return new Option("--ca <file>", "PEM file with authorities to trust for the relay beside the usual ones");
}

/** This machine only: whoever reaches the port acts as the person who is signed in. */
function readListen(text: string): ListenAddress {
  const [, host = "127.0.0.1", digits = ""] = /^(?:(127\.0\.0\.1|\[::1\]):)?([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > MAX_PORT)
    throw new InvalidArgumentError("write a port, or 127.0.0.1:port or [::1]:port: others would act as you");
  return { host: host.replace(/^\[|\]$/g, ""), port };
}
