// `sallyport access tcp`: a published TCP service on standard input and output, as ssh's ProxyCommand wants it, or on a port
// of this machine (T19). Nothing but the service's bytes goes to standard output.

import { createServer, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import type { Network } from "../access/call.ts";
import { carry, openTcp, type TcpEnd, type TcpOpened } from "../access/tcp-connection.ts";
import { networkOrExplain, tokenOrExplain, urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

const MAX_CONNECTIONS = 256;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface TcpOptions {
  readonly hostname: string;
  readonly listen?: ListenAddress;
  readonly ca?: string;
}

export interface StandardStreams {
  readonly input: Readable;
  readonly output: Writable;
}

interface Session {
  readonly application: URL;
  readonly network: Network;
  readonly io: Io;
}

export async function accessTcp(
  options: TcpOptions,
  io: Io,
  streams: StandardStreams = { input: process.stdin, output: process.stdout },
): Promise<ExitCode> {
  const application = urlOrExplain(options.hostname, io);
  const network = application && networkOrExplain(options.ca, io);
  if (application === undefined || network === undefined) return ExitCode.USAGE;
  const session = { application, network, io };
  const release = io.keepAlive();
  try {
    return options.listen === undefined ? await once(session, streams) : await listen(session, options.listen);
  } finally {
    release();
  }
}

async function once(session: Session, { input, output }: StandardStreams): Promise<ExitCode> {
  const opened = await open(session);
  if (opened === undefined) return ExitCode.FAILED;
  if (opened.kind !== "open") return explain(opened, session.io);
  return report(await carry(opened, input, output, session.io.clock), session.io);
}

/** Every connection is opened with the token of that moment: one that ended meanwhile is said, and the port stays. */
async function listen(session: Session, address: ListenAddress): Promise<ExitCode> {
  const { io } = session;
  const { promise, resolve } = Promise.withResolvers<ExitCode>();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    serve(session, socket).catch((error: unknown) => {
      socket.destroy();
      io.err(`error[ERR_ACCESS_TCP]: ${String((error as NodeJS.ErrnoException).code ?? "a connection failed")}`);
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("error", (error: NodeJS.ErrnoException) => {
    io.err(
      `error[ERR_ACCESS_LISTEN]: cannot listen on ${address.host}:${address.port} (${error.code ?? "unknown"})\n   = choose another port, or 0 for any that is free`,
    );
    resolve(ExitCode.FAILED);
  });
  server.listen(address.port, address.host, () => {
    const bound = server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
    io.err(`Listening on ${address.host}:${port} for ${session.application.host}. End with Ctrl-C.`);
  });
  const offs = (["SIGINT", "SIGTERM"] as const).map((signal) => io.onSignal(signal, () => resolve(ExitCode.OK)));
  const code = await promise;
  for (const off of offs) off();
  server.close();
  for (const socket of sockets) socket.destroy();
  return code;
}

async function serve(session: Session, socket: Socket): Promise<void> {
  const opened = await open(session);
  if (opened?.kind === "open") report(await carry(opened, socket, socket, session.io.clock), session.io);
  else {
    if (opened !== undefined) explain(opened, session.io);
    socket.destroy();
  }
}

/** Undefined after it was said that nobody is signed in. */
async function open({ application, network, io }: Session): Promise<TcpOpened | undefined> {
  const credentials = credentialsOrExplain(application, io);
  return credentials === undefined ? undefined : await openTcp({ application, credentials, network, clock: io.clock });
}

function credentialsOrExplain(application: URL, io: Io): Readonly<Record<string, string>> | undefined {
  const { SALLYPORT_CLIENT_ID: id, SALLYPORT_CLIENT_SECRET: secret } = io.environment;
  if (id !== undefined && secret !== undefined) return { "Sallyport-Client-Id": id, "Sallyport-Client-Secret": secret };
  const token = tokenOrExplain(application, io);
  return token === undefined ? undefined : { "Sallyport-Access-Token": token.token };
}

function explain(opened: Exclude<TcpOpened, { kind: "open" }>, io: Io): ExitCode {
  if (opened.kind === "failed") {
    io.err(`error[ERR_ACCESS_TCP]: ${opened.why}${remedyLine(opened.remedy)}`);
    return ExitCode.FAILED;
  }
  const { code, why, remedy, status } = opened;
  io.err(`error[${code === "" ? "ERR_ACCESS_TCP" : code}]: ${why}${remedyLine(remedy)}`);
  return status === 403 ? ExitCode.REFUSED : ExitCode.FAILED;
}

function remedyLine(remedy: string): string {
  return remedy === "" ? "" : `\n   = ${remedy}`;
}

function report(end: TcpEnd, io: Io): ExitCode {
  if (end.kind === "done") return ExitCode.OK;
  if (end.kind === "revoked") {
    io.err("error[ERR_ACCESS_DENIED]: access ended while the connection was open");
    return ExitCode.REFUSED;
  }
  io.err(`error[ERR_ACCESS_TCP]: ${end.why}`);
  return ExitCode.FAILED;
}
