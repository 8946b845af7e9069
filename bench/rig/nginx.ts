// nginx as the reference's two hops and as the origin of both sides: one process each, keep-alive on every leg,
// nothing logged, nothing written to disk.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../../tests/harness/need.ts";
import { Program } from "../../tests/harness/program.ts";
import { eventually, freePort } from "../../tests/harness/scratch.ts";
import type { Certificate } from "../../tests/harness/tls.ts";
import { accepts } from "./accepts.ts";

const WORKER_CONNECTIONS = 16_384;
const KEPT_UPSTREAM_CONNECTIONS = 256;
const FOR_EVER = 1_000_000_000;

export interface Nginx {
  readonly pid: number;
  readonly port: number;
}

/** One server block that listens on `port`. */
interface Server {
  readonly tls?: Certificate | undefined;
  readonly upstreams?: readonly string[];
  readonly locations: readonly string[];
}

async function startNginx(stack: AsyncDisposableStack, name: string, folder: string, server: Server): Promise<Nginx> {
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  const port = await freePort();
  const file = join(own, "nginx.conf");
  writeFileSync(file, configuration(own, port, server));
  const command = findProgram("nginx") ?? "nginx";
  const program = new Program({ name, command, args: ["-p", own, "-c", file, "-e", "stderr"], cwd: own });
  stack.defer(async () => {
    await program[Symbol.asyncDispose]();
  });
  await eventually(
    () => {
      if (program.exit !== undefined) throw new Error("it has ended");
      return accepts(port);
    },
    { what: `${name} to listen`, context: () => program.tail() },
  );
  return { pid: program.pid, port };
}

function configuration(folder: string, port: number, { tls, upstreams = [], locations }: Server): string {
  const listen = tls === undefined ? "" : " ssl";
  const certificate = tls === undefined ? "" : `ssl_certificate ${tls.certificateFile}; ssl_certificate_key ${tls.privateKeyFile};`;
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join(" ");
  return `daemon off; master_process off; worker_processes 1; pid ${join(folder, "pid")};
events { worker_connections ${WORKER_CONNECTIONS}; }
http {
  access_log off; ${bodies}
  sendfile on; tcp_nodelay on; client_max_body_size 0; server_tokens off;
  keepalive_timeout 600s; keepalive_requests ${FOR_EVER};
  ${upstreams.join("\n  ")}
  server {
    listen 127.0.0.1:${port}${listen}; server_name _; ${certificate}
    ${locations.join("\n    ")}
  }
}
`;
}

export interface OriginFiles {
  /** The folder with the files that the origin serves. */
  readonly root: string;
  readonly smallBytes: number;
}

/** GET /small, and the files of the folder below /. */
export function startNginxOrigin(stack: AsyncDisposableStack, folder: string, { root, smallBytes }: OriginFiles): Promise<Nginx> {
  const small = `location = /small { default_type text/plain; return 200 "${"x".repeat(smallBytes)}"; }`;
  return startNginx(stack, "nginx-origin", folder, {
    locations: [small, `location / { root ${root}; default_type application/octet-stream; }`],
  });
}

export interface HopOptions {
  readonly name: string;
  /** Port by path prefix; the next hop or origins. */
  readonly next: Readonly<Record<string, number>>;
  /** Speaks TLS to the next hop. */
  readonly nextTls?: boolean;
  readonly tls?: Certificate | undefined;
}

/** A plain reverse proxy. Streams both ways: a proxy that stores a body first would not be what a tunnel is held against. */
export function startNginxHop(
  stack: AsyncDisposableStack,
  folder: string,
  { name, next, nextTls = false, tls }: HopOptions,
): Promise<Nginx> {
  const routes = Object.entries(next).map(([prefix, port], index) => ({ prefix, port, upstream: `next${index}` }));
  const upstreams = routes.map(
    ({ port, upstream }) =>
      `upstream ${upstream} { server 127.0.0.1:${port}; keepalive ${KEPT_UPSTREAM_CONNECTIONS}; keepalive_requests ${FOR_EVER}; keepalive_timeout 600s; }`,
  );
  const locations = routes.map(
    ({ prefix, upstream }) =>
      `location ${prefix} { proxy_pass ${nextTls ? "https" : "http"}://${upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; ` +
      "proxy_set_header Host $http_host; proxy_request_buffering off; proxy_max_temp_file_size 0; }",
  );
  return startNginx(stack, name, folder, { tls, upstreams, locations });
}
