import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProviderFetch, isPrivate, MAX_ANSWER_BYTES, type Lookup, type ProviderFetch } from "./provider-fetch.ts";

let server: Server;
let ca: string;
let port: number;
let answer: RequestListener;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-fetch-"));
  const [keyFile, certificateFile] = [join(folder, "key"), join(folder, "crt")];
  const subject = ["-subj", "/CN=idp", "-addext", "subjectAltName=DNS:idp.example.com,IP:127.0.0.1", "-days", "2"];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", keyFile];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", certificateFile, ...subject], { stdio: "ignore" });
  ca = readFileSync(certificateFile, "utf8");
  server = createServer({ key: readFileSync(keyFile), cert: ca }, (request, response) => answer(request, response));
  rmSync(folder, { recursive: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const toLoopback: Lookup = (_hostname, options, callback) =>
  options.all === true ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4);
const get = { method: "GET", headers: {} };

function fetcher(options: Partial<Parameters<typeof createProviderFetch>[0]> = {}): ProviderFetch {
  return createProviderFetch({ allowPrivateNetwork: true, ca, lookup: toLoopback, ...options });
}
const url = (path = "/"): string => `https://idp.example.com:${port}${path}`;

describe("R-F7: a request to a provider", () => {
  it("brings back status, fields and body", async () => {
    answer = (_request, response) =>
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(gzipSync('{"a":1}'));
    const response = await fetcher()(url(), get);
    expect([response.status, response.headers.get("content-type"), await response.json()]).toEqual([200, "application/json", { a: 1 }]);
  });

  it("is never plain http, and never carries a name and password in its URL", async () => {
    await expect(fetcher()("http://idp.example.com/", get)).rejects.toMatchObject({ code: "ERR_PROVIDER_INVALID" });
    await expect(fetcher()("https://user:secret@idp.example.com/", get)).rejects.toMatchObject({ code: "ERR_PROVIDER_INVALID" });
  });

  it("does not follow a redirect", async () => {
    const paths: (string | undefined)[] = [];
    answer = (request, response) => {
      paths.push(request.url);
      response.writeHead(302, { location: "/elsewhere" }).end();
    };
    expect((await fetcher()(url("/here"), get)).status).toBe(302);
    expect(paths).toEqual(["/here"]);
  });

  it("ends when the answer is larger than 256 kB, also when that shows only after decompression", async () => {
    answer = (_request, response) => response.end(Buffer.alloc(MAX_ANSWER_BYTES + 1));
    await expect(fetcher()(url(), get)).rejects.toMatchObject({ code: "ERR_PROVIDER_INVALID" });
    answer = (_request, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(50_000_000)));
    await expect(fetcher()(url(), get)).rejects.toMatchObject({ code: "ERR_PROVIDER_INVALID" });
    answer = (_request, response) => response.end(Buffer.alloc(MAX_ANSWER_BYTES));
    expect((await (await fetcher()(url(), get)).arrayBuffer()).byteLength).toBe(MAX_ANSWER_BYTES);
  });

  it("ends when there is no answer in time, be it the head or the rest of the body", async () => {
    const error = { code: "ERR_PROVIDER_UNREACHABLE", retryable: true };
    answer = () => undefined;
    await expect(fetcher({ timeoutMs: 100 })(url(), get)).rejects.toMatchObject(error);
    answer = (_request, response) => response.writeHead(200).write("a");
    await expect(fetcher({ timeoutMs: 100 })(url(), get)).rejects.toMatchObject(error);
  });

  it("takes a fault of the provider for no answer", async () => {
    answer = (_request, response) => response.writeHead(503).end("busy");
    await expect(fetcher()(url(), get)).rejects.toMatchObject({ code: "ERR_PROVIDER_UNREACHABLE", retryable: true });
  });

  it("trusts no other certificate authority", async () => {
    await expect(createProviderFetch({ allowPrivateNetwork: true, lookup: toLoopback })(url(), get)).rejects.toMatchObject({
      code: "ERR_PROVIDER_UNREACHABLE",
      message: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/) as unknown,
    });
  });

  it("goes to no private address, given by name or as it is, unless the configuration says so", async () => {
    answer = () => expect.unreachable();
    const closed = fetcher({ allowPrivateNetwork: false });
    const refused = { code: "ERR_PROVIDER_INVALID", message: expect.stringContaining("private network") as unknown };
    await expect(closed(url(), get)).rejects.toMatchObject(refused);
    for (const host of ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0x7f.1", "2130706433"])
      await expect(closed(`https://${host}:${port}/`, get)).rejects.toMatchObject(refused);
  });

  it("goes nowhere when a name has one private address among public ones", async () => {
    const mixed: Lookup = (_hostname, _options, callback) =>
      callback(null, [
        { address: "192.0.43.7", family: 4 },
        { address: "10.0.0.1", family: 4 },
      ]);
    await expect(fetcher({ allowPrivateNetwork: false, lookup: mixed })(url(), get)).rejects.toMatchObject({
      code: "ERR_PROVIDER_INVALID",
    });
  });
});

it.each([
  "10.0.0.1",
  "172.16.0.1",
  "192.168.1.1",
  "127.0.0.1",
  "0.0.0.0",
  "100.64.0.1",
  "169.254.169.254",
  "::1",
  "fe80::1",
  "fc00::1",
  "::ffff:10.0.0.1",
  "224.0.0.1",
  "64:ff9b::a00:1",
])("%s is private", (address) => expect(isPrivate(address)).toBe(true));
it.each(["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])("%s is public", (address) => expect(isPrivate(address)).toBe(false));
