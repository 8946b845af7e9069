// Origins that are programs of their framework's own: each writes what it saw of a request as JSON, and answers `served`.
// They are set to take as much as they can, and to believe what they read.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { need, type TestLike } from "../../../harness/need.ts";
import { freePort, scratchFolder } from "../../../harness/scratch.ts";
import { programOrigin, type RealOrigin } from "./real-origin.ts";

export type StartOrigin = (stack: AsyncDisposableStack, context: TestLike) => Promise<RealOrigin>;

const PYTHON = "/usr/bin/python3";
const TELL = `
import base64, json, sys

def tell(method, target, path, fields, body):
    seen = {"method": method, "target": target, "path": path, "fields": fields, "body": base64.b64encode(body).decode()}
    print("SEEN " + json.dumps(seen), flush=True)
`;

const WSGI = `${TELL}
def application(environ, start_response):
    names = [name for name in environ if name.startswith("HTTP_") or name == "CONTENT_TYPE"]
    fields = [[name.replace("HTTP_", "", 1), environ[name]] for name in names]
    body = environ["wsgi.input"].read()
    tell(environ["REQUEST_METHOD"], environ["RAW_URI"], environ["PATH_INFO"], fields, body)
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
`;

const TORNADO = `${TELL}
import asyncio, sys
from tornado import httpserver, httputil

def served(request):
    tell(request.method, request.uri, request.path, list(request.headers.get_all()), request.body)
    start = httputil.ResponseStartLine("HTTP/1.1", 200, "OK")
    request.connection.write_headers(start, httputil.HTTPHeaders({"Content-Length": "6"}))
    if request.method != "HEAD":
        request.connection.write(b"served")
    request.connection.finish()

async def main():
    httpserver.HTTPServer(served).listen(int(sys.argv[1]), "127.0.0.1")
    print("listening", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
`;

const AIOHTTP = `${TELL}
import asyncio, sys
from aiohttp import web

async def served(request):
    fields = [[name.decode("latin1"), value.decode("latin1")] for name, value in request.raw_headers]
    tell(request.method, request.raw_path, request.path, fields, await request.read())
    return web.Response(text="served")

async def main():
    runner = web.ServerRunner(web.Server(served))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    print("listening", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
`;

const PHP = `<?php
$fields = [];
foreach (getallheaders() as $name => $value) $fields[] = [(string) $name, iconv("ISO-8859-1", "UTF-8", $value)];
$seen = [
  "method" => $_SERVER["REQUEST_METHOD"],
  "target" => $_SERVER["REQUEST_URI"],
  "path" => $_SERVER["SCRIPT_NAME"],
  "fields" => $fields,
  "body" => base64_encode(file_get_contents("php://input")),
];
file_put_contents("php://stdout", "SEEN " . json_encode($seen, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES) . "\\n");
echo "served";
`;

const NODE = `
const { createServer } = require("node:http");
createServer({ insecureHTTPParser: true, requireHostHeader: false, joinDuplicateHeaders: true }, (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const fields = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) fields.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
    const path = request.url.replace(/[?].*/, "");
    const seen = { method: request.method, target: request.url, path, fields, body: Buffer.concat(chunks).toString("base64") };
    console.log("SEEN " + JSON.stringify(seen));
    response.end("served");
  });
}).listen(Number(process.argv[1]), "127.0.0.1", () => console.log("listening"));
`;

const JSP = `<%@ page import="java.util.*" trimDirectiveWhitespaces="true" %><%!
static String quoted(String text) {
  StringBuilder out = new StringBuilder("\\"");
  for (char c : text.toCharArray()) {
    if (c < 32 || c == 34 || c == 92 || c > 126) out.append(String.format("\\\\u%04x", (int) c));
    else out.append(c);
  }
  return out.append("\\"").toString();
}
%><%
StringBuilder fields = new StringBuilder();
for (String name : Collections.list(request.getHeaderNames()))
  for (String value : Collections.list(request.getHeaders(name)))
    fields.append(fields.length() == 0 ? "" : ",").append("[" + quoted(name) + "," + quoted(value) + "]");
String query = request.getQueryString();
String target = request.getRequestURI() + (query == null ? "" : "?" + query);
String body = Base64.getEncoder().encodeToString(request.getInputStream().readAllBytes());
System.out.println("SEEN {\\"method\\":" + quoted(request.getMethod()) + ",\\"target\\":" + quoted(target)
  + ",\\"path\\":" + quoted(String.valueOf(request.getPathInfo() == null ? request.getServletPath() : request.getPathInfo()))
  + ",\\"fields\\":[" + fields + "],\\"body\\":\\"" + body + "\\"}");
%>served`;

const CATALINA = "/usr/share/tomcat10";
const SERVER_XML = (port: number): string => `<Server port="-1"><Service name="Catalina">
<Connector port="${port}" address="127.0.0.1" maxKeepAliveRequests="-1" encodedSolidusHandling="passthrough" allowBackslash="true"
  relaxedPathChars='"&lt;&gt;[\\]^\`{|}' relaxedQueryChars='"&lt;&gt;[\\]^\`{|}' maxHttpRequestHeaderSize="65536" allowTrace="true"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" autoDeploy="false"/></Engine></Service></Server>`;
const WEB_XML = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
<servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
<servlet><servlet-name>echo</servlet-name><jsp-file>/echo.jsp</jsp-file></servlet>
<servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
<servlet-mapping><servlet-name>echo</servlet-name><url-pattern>/*</url-pattern></servlet-mapping></web-app>`;

const gunicorn: StartOrigin = async (stack, context) => {
  const [program = ""] = need(context, "gunicorn");
  const cwd = scratchFolder(stack);
  writeFileSync(join(cwd, "origin.py"), WSGI);
  writeFileSync(join(cwd, "gunicorn.conf.py"), 'header_map = "dangerous"\nforwarded_allow_ips = "*"\nlimit_request_line = 0\n');
  const port = await freePort();
  const args = [program, "-k", "gthread", "--threads", "4", "--keep-alive", "30", "--bind", `127.0.0.1:${port}`, "--worker-tmp-dir", cwd];
  const origin = programOrigin(stack, {
    name: "gunicorn",
    command: PYTHON,
    args: [...args, "origin:application"],
    cwd,
    port,
    refusals: "untold",
  });
  await origin.program.line(/Listening at/);
  return origin;
};

const python =
  (name: string, module: string, source: string): StartOrigin =>
  async (stack, context) => {
    need(context, PYTHON, join("/usr/lib/python3/dist-packages", module));
    const port = await freePort();
    const origin = programOrigin(stack, { name, command: PYTHON, args: ["-c", source, String(port)], port, refusals: "untold" });
    await origin.program.line(/^listening$/);
    return origin;
  };

const php: StartOrigin = async (stack, context) => {
  const [command = ""] = need(context, "php");
  const cwd = scratchFolder(stack);
  writeFileSync(join(cwd, "origin.php"), PHP);
  const port = await freePort();
  const args = ["-S", `127.0.0.1:${port}`, "origin.php"];
  const origin = programOrigin(stack, { name: "php", command, args, cwd, port, refusals: "untold" });
  await origin.program.line(/started/);
  return origin;
};

const node: StartOrigin = async (stack) => {
  const port = await freePort();
  const args = ["--max-http-header-size=65536", "-e", NODE, String(port)];
  const origin = programOrigin(stack, { name: "node", command: process.execPath, args, port, refusals: "untold" });
  await origin.program.line(/^listening$/);
  return origin;
};

const tomcat: StartOrigin = async (stack, context) => {
  const [command = ""] = need(context, "java", join(CATALINA, "bin", "bootstrap.jar"));
  const cwd = scratchFolder(stack);
  const root = join(cwd, "webapps", "ROOT");
  for (const folder of [join(root, "WEB-INF"), join(cwd, "conf"), join(cwd, "temp")]) mkdirSync(folder, { recursive: true });
  const port = await freePort();
  writeFileSync(join(cwd, "conf", "server.xml"), SERVER_XML(port));
  writeFileSync(join(root, "WEB-INF", "web.xml"), WEB_XML);
  writeFileSync(join(root, "echo.jsp"), JSP);
  const classes = ["bootstrap.jar", "tomcat-juli.jar"].map((jar) => join(CATALINA, "bin", jar)).join(":");
  const settings = [
    `-Dcatalina.home=${CATALINA}`,
    `-Dcatalina.base=${cwd}`,
    `-Djava.io.tmpdir=${join(cwd, "temp")}`,
    "-XX:TieredStopAtLevel=1",
  ];
  const args = [...settings, "-cp", classes, "org.apache.catalina.startup.Bootstrap", "start"];
  const origin = programOrigin(stack, { name: "tomcat", command, args, cwd, port, refusals: "untold" });
  await origin.program.line(/Server startup in/, 60_000);
  return origin;
};

/** By name, which is also the connector's service. */
export const APPLICATIONS: Readonly<Record<string, StartOrigin>> = {
  gunicorn,
  tornado: python("tornado", "tornado", TORNADO),
  aiohttp: python("aiohttp", "aiohttp", AIOHTTP),
  php,
  node,
  tomcat,
};
