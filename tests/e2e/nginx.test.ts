// nginx as the origin: byte ranges, several ranges, validators and conditional requests pass unchanged both ways.

import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { need } from "../harness/need.ts";
import { Program } from "../harness/program.ts";
import { eventually, freePort, scratchFolder } from "../harness/scratch.ts";
import { visit } from "../harness/visitor.ts";

function configuration(folder: string, port: number): string {
  return `
daemon off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    root ${folder}/www;
  }
}
`;
}

test("ranges and validators of nginx work through the tunnel", async (context) => {
  const [nginx = ""] = need(context, "nginx");
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const content = randomBytes(300_000);
  mkdirSync(join(folder, "www"));
  writeFileSync(join(folder, "www", "file.bin"), content);
  const port = await freePort();
  writeFileSync(join(folder, "nginx.conf"), configuration(folder, port));
  // Started as root nginx gives up rights for its workers, which then cannot enter the temporary folder.
  const user = process.getuid?.() === 0 ? "user root; " : "";
  const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-g", `${user}worker_processes 1;`];
  stack.use(new Program({ name: "nginx", command: nginx, args }));
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/file.bin`, { method: "HEAD" })).ok, { what: "nginx" });
  const { relay } = await createBed(stack, { services: { files: `http://127.0.0.1:${port}` } });

  const whole = await visit(relay, "files", "/file.bin");
  expect(whole.status).toBe(200);
  expect(whole.body.equals(content)).toBe(true);
  expect(whole.headers["accept-ranges"]).toBe("bytes");
  expect(whole.headers["content-length"]).toBe(String(content.length));
  const { etag = "", "last-modified": lastModified = "" } = whole.headers;
  expect(etag).toMatch(/^"[0-9a-f-]+"$/);

  const part = await visit(relay, "files", "/file.bin", { headers: { range: "bytes=100000-100099" } });
  expect(part.status).toBe(206);
  expect(part.headers["content-range"]).toBe(`bytes 100000-100099/${content.length}`);
  expect(part.body.equals(content.subarray(100_000, 100_100))).toBe(true);

  const last = await visit(relay, "files", "/file.bin", { headers: { range: "bytes=-10" } });
  expect(last.body.equals(content.subarray(-10))).toBe(true);

  const several = await visit(relay, "files", "/file.bin", { headers: { range: "bytes=0-9,1000-1009" } });
  expect(several.status).toBe(206);
  expect(several.headers["content-type"]).toMatch(/^multipart\/byteranges; boundary=/);
  expect(several.body.includes(content.subarray(1000, 1010))).toBe(true);

  const beyond = await visit(relay, "files", "/file.bin", { headers: { range: "bytes=999999-" } });
  expect(beyond.status).toBe(416);
  expect(beyond.headers["content-range"]).toBe(`bytes */${content.length}`);

  const known = await visit(relay, "files", "/file.bin", { headers: { "if-none-match": etag } });
  expect(known.status).toBe(304);
  expect(known.headers.etag).toBe(etag);
  expect(known.body.length).toBe(0);
  const since = await visit(relay, "files", "/file.bin", { headers: { "if-modified-since": lastModified } });
  expect(since.status).toBe(304);

  const resumed = await visit(relay, "files", "/file.bin", { headers: { range: "bytes=5-9", "if-range": etag } });
  expect(resumed.status).toBe(206);
  const changed = await visit(relay, "files", "/file.bin", { headers: { range: "bytes=5-9", "if-range": '"other"' } });
  expect(changed.status).toBe(200);

  const head = await visit(relay, "files", "/file.bin", { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(head.headers["content-length"]).toBe(String(content.length));
  expect(head.body.length).toBe(0);
});
