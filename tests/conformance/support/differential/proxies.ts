// Origins that are web servers in front of something else: each passes requests on to the strict origin, and its access log
// says what it saw itself. Whatever it makes of a request, two would show in the log or behind it.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { need } from "../../../harness/need.ts";
import { eventually, freePort, scratchFolder } from "../../../harness/scratch.ts";
import { RawClient } from "../../../harness/raw-client.ts";
import type { StartOrigin } from "./applications.ts";
import { programOrigin, strictOrigin, type RealOrigin } from "./real-origin.ts";
import { readSeenLine, type Seen } from "./seen.ts";

interface Ports {
  readonly port: number;
  readonly behind: number;
  readonly folder: string;
}

interface ProxyProgram {
  readonly program: string;
  /** Whatever else has to exist. */
  readonly needs?: readonly string[];
  readonly file: string;
  readonly config: (ports: Ports) => string;
  readonly args: (file: string, folder: string) => readonly string[];
}

/** Where those write that cannot write to a standard output that is a socket. */
const LOG = "seen.log";

/** Marker of the requests that only ask whether a server listens. */
const PROBE = "probe";
/** Whom Apache becomes where the test runs as root. */
const NOBODY = 65_534;

const NGINX: ProxyProgram = {
  program: "nginx",
  file: "nginx.conf",
  args: (file, folder) => ["-p", folder, "-c", file],
  config: ({ port, behind, folder }) => `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 256; }
http {
  log_format seen escape=none 'SEEN\\t$request_method\\t$request_uri\\t$http_x_case';
  access_log ${folder}/${LOG} seen;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  large_client_header_buffers 8 64k; merge_slashes off; underscores_in_headers on; ignore_invalid_headers off; keepalive_requests 100000;
  upstream behind { server 127.0.0.1:${behind}; keepalive 8; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } }
}`,
};

const APACHE: ProxyProgram = {
  program: "apache2",
  file: "apache.conf",
  args: (file) => ["-X", "-f", file],
  config: ({ port, behind, folder }) => `ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
User #${process.getuid?.() === 0 ? NOBODY : process.getuid?.()}
Group #${process.getgid?.() === 0 ? NOBODY : process.getgid?.()}
ErrorLog ${folder}/error.log
${["mpm_event", "authz_core", "proxy", "proxy_http"].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
LimitRequestLine 65536
LimitRequestFieldSize 65536
LimitRequestFields 0
MaxKeepAliveRequests 0
AllowEncodedSlashes NoDecode
MergeSlashes Off
LogFormat "SEEN\\t%m\\t-\\t%{X-Case}i\\t%r" seen
CustomLog ${folder}/${LOG} seen
ProxyPass "/" "http://127.0.0.1:${behind}/" nocanon`,
};

const HAPROXY: ProxyProgram = {
  program: "haproxy",
  file: "haproxy.cfg",
  args: (file) => ["-db", "-f", file],
  config: ({ port, behind }) => `global
  nbthread 1
  tune.bufsize 65536
  tune.http.logurilen 16384
  log stdout len 65535 format raw local0
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  log global
frontend seen
  bind 127.0.0.1:${port}
  capture request header X-Case len 64
  log-format "SEEN\\t%HM\\t%HU\\t%[capture.req.hdr(0)]"
  default_backend behind
backend behind
  server one 127.0.0.1:${behind}
`,
};

const CADDY: ProxyProgram = {
  program: "caddy",
  file: "caddy.json",
  args: (file) => ["run", "--config", file],
  config: ({ port, behind }) =>
    JSON.stringify({
      admin: { disabled: true },
      logging: { logs: { default: { level: "INFO", writer: { output: "stdout" }, encoder: { format: "json" } } } },
      apps: {
        http: {
          servers: {
            seen: {
              listen: [`127.0.0.1:${port}`],
              automatic_https: { disable: true },
              logs: { should_log_credentials: true },
              max_header_bytes: 65_536,
              routes: [{ handle: [{ handler: "reverse_proxy", upstreams: [{ dial: `127.0.0.1:${behind}` }] }] }],
            },
          },
        },
      },
    }),
};

const LIGHTTPD: ProxyProgram = {
  program: "lighttpd",
  needs: ["/usr/lib/lighttpd/mod_proxy.so"],
  file: "lighttpd.conf",
  args: (file) => ["-D", "-f", file],
  config: ({ port, behind, folder }) => `server.document-root = "${folder}"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ( "mod_proxy", "mod_accesslog" )
server.max-request-field-size = 65536
server.max-keep-alive-requests = 60000
server.http-parseopts = ( "url-normalize" => "disable", "header-strict" => "disable", "host-strict" => "disable", "method-get-body" => "enable" )
accesslog.filename = "${folder}/${LOG}"
accesslog.format = "SEEN\\t%m\\t-\\t%{X-Case}i\\t%r"
proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => ${behind} ) ) )
`,
};

function proxy(name: string, { program, needs = [], file, config, args }: ProxyProgram): StartOrigin {
  return async (stack, context): Promise<RealOrigin> => {
    const [command = ""] = need(context, program, ...needs);
    const behind = await strictOrigin(stack, name);
    const folder = scratchFolder(stack);
    const port = await freePort();
    const path = join(folder, file);
    writeFileSync(path, config({ port, behind: behind.port, folder }));
    const origin = programOrigin(stack, {
      name,
      command,
      args: args(path, folder),
      cwd: folder,
      env: { HOME: folder },
      port,
      refusals: "told",
    });
    await eventually(() => answers(port), { what: `${name} to listen`, context: () => origin.log() });
    const logged = (): readonly Seen[] => [...origin.seen(), ...logFile(join(folder, LOG))];
    return {
      ...origin,
      log: () => `${origin.log()}\n${behind.log()}`,
      seen: () => joined(logged(), behind.seen()),
    };
  };
}

function logFile(file: string): readonly Seen[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "latin1")
    .split("\n")
    .flatMap((line) => readSeenLine(line) ?? []);
}

async function answers(port: number): Promise<boolean> {
  using client = await RawClient.connect({ port });
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nX-Case: ${PROBE}\r\nConnection: close\r\n\r\n`);
  return (await client.untilClosed()).startsWith("HTTP/1.1 200 ");
}

/** What the log has so far, with the body that was passed on; and what was passed on more often than it was logged. */
function joined(logged: readonly Seen[], behind: readonly Seen[]): readonly Seen[] {
  const passedOn = new Map<string, Seen[]>();
  const told = new Set(logged.map(({ marker }) => marker));
  // What the log does not know yet it will tell later: logs are written late.
  for (const one of behind.filter(({ marker }) => marker === "" || told.has(marker)))
    passedOn.set(one.marker, [...(passedOn.get(one.marker) ?? []), one]);
  const list = logged.map((one) => {
    const [first, ...rest] = passedOn.get(one.marker) ?? [];
    if (rest.length === 0) passedOn.delete(one.marker);
    else passedOn.set(one.marker, rest);
    return { ...one, body: first?.body };
  });
  return [...list, ...[...passedOn.values()].flat()].filter(({ marker }) => marker !== PROBE);
}

export const PROXIES: Readonly<Record<string, StartOrigin>> = {
  nginx: proxy("nginx", NGINX),
  apache: proxy("apache", APACHE),
  haproxy: proxy("haproxy", HAPROXY),
  caddy: proxy("caddy", CADDY),
  lighttpd: proxy("lighttpd", LIGHTTPD),
};
