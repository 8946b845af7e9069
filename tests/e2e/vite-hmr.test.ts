// A Vite development server with hot module replacement in a real browser: a file is edited, the page changes, and
// the document is not loaded again.

import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createBed } from "../harness/bed.ts";
import { startBrowser } from "../harness/browser.ts";
import { need } from "../harness/need.ts";
import { Program } from "../harness/program.ts";
import { freePort, scratchFolder } from "../harness/scratch.ts";

const VITE = join(dirname(createRequire(import.meta.url).resolve("vite/package.json")), "bin", "vite.js");

const PAGE = `<!doctype html><meta charset="utf-8"><title>hot</title><h1 id="text"></h1><script type="module" src="/main.js"></script>`;
const MAIN = `
import { text } from "./text.js";
const show = (value) => (document.querySelector("#text").textContent = value);
show(text);
import.meta.hot.accept("./text.js", (replaced) => show(replaced.text));
`;

test("an edited file changes the page in the browser without a reload", async (context) => {
  const [chromium = ""] = need(context, "chromium");
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const edit = (text: string): void => writeFileSync(join(folder, "text.js"), `export const text = ${JSON.stringify(text)};\n`);
  writeFileSync(join(folder, "index.html"), PAGE);
  writeFileSync(join(folder, "main.js"), MAIN);
  edit("before");
  const port = await freePort();
  const args = [VITE, "--host", "127.0.0.1", "--port", String(port), "--strictPort"];
  const vite = stack.use(new Program({ name: "vite", command: process.execPath, args, cwd: folder, env: { NO_COLOR: "1" } }));
  await vite.line(/Local:/);
  const { relay } = await createBed(stack, { services: { hot: `http://127.0.0.1:${port}` } });

  const browser = await startBrowser(stack, chromium);
  const page = await browser.newPage();
  const sockets: string[] = [];
  const documents: string[] = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  page.on("request", (request) => {
    if (request.isNavigationRequest()) documents.push(request.url());
  });
  const hot = page.waitForEvent("console", (message) => message.text().includes("[vite] connected"));
  await page.goto(`http://${relay.host("hot")}/`);
  await hot;
  const heading = page.locator("#text");
  await heading.filter({ hasText: /^before$/ }).waitFor();

  for (const text of ["after one edit", "after another"]) {
    edit(text);
    await heading.filter({ hasText: text }).waitFor({ timeout: 15_000 });
  }
  // Vite's client falls back to dialling its server directly: the proof is worth nothing unless it went our way.
  expect(sockets.map((url) => new URL(url).host)).toEqual([relay.host("hot")]);
  expect(documents).toEqual([`http://${relay.host("hot")}/`]);
});
