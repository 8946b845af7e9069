// The page of the built-in `hello` service: one file, no asset from elsewhere, light and dark, fit for a keyboard
// and a screen reader. Pure; must not know servers.

import { createHash } from "node:crypto";

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Name and value in wire order; secrets are already taken out. */
  readonly fields: readonly (readonly [string, string])[];
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee6; --ground: #f6f7f9; --card: #fff; --go: #0b7a5b; --stop: #b3372f }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #9aa6b6; --line: #303a48; --ground: #131820; --card: #1b222d; --go: #4fd1a5; --stop: #ff8d84 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 3rem 1.25rem }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .5rem }
h2 { font-size: 1rem; margin: 0 0 .75rem }
p { margin: 0 0 1.5rem; color: var(--soft); max-width: 44rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; margin: 0 0 1.25rem }
.pair { display: grid; gap: 1.25rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)) }
.pair section { margin: 0 } .pair { margin: 0 0 1.25rem }
code, td, th, output { font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line) }
th { font-weight: 600; width: 16rem } tr:first-child > * { border-top: 0 }
output { display: block; min-height: 1.5em } .up { color: var(--go) } .down { color: var(--stop) }
form { display: flex; gap: .5rem; margin: .75rem 0 0 }
input { flex: 1; min-width: 0 } input, button { font: inherit; padding: .4rem .7rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--ground); color: inherit }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px }
@media (max-width: 40rem) { th, td { display: block; width: auto } td { border-top: 0; padding-top: 0 } }
`;

const SCRIPT = `
const show = (id, text, up) => { const at = document.getElementById(id); at.textContent = text; at.className = up ? "up" : "down" };
const base = location.pathname.replace(/[^/]*$/, "");
const events = new EventSource(base + "sse");
events.onmessage = (event) => show("sse", "event " + event.lastEventId + " at " + event.data, true);
events.onerror = () => show("sse", "interrupted; the browser connects again", false);
const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + base + "ws");
let sentAt = 0;
socket.onopen = () => show("ws", "open", true);
socket.onmessage = (event) => show("ws", event.data + "  (" + Math.round(performance.now() - sentAt) + " ms there and back)", true);
socket.onclose = (event) => show("ws", "closed with code " + event.code, false);
document.getElementById("echo").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  sentAt = performance.now();
  socket.send(document.getElementById("text").value);
});
`;

const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sallyport works</title>
<style>${STYLE}</style>
</head>
`;

/** Content-Security-Policy under which the page works and nothing else does. */
export const HELLO_POLICY: string = [
  "default-src 'none'",
  `style-src ${sourceHash(STYLE)}`,
  `script-src ${sourceHash(SCRIPT)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export function helloPage(request: SeenRequest): string {
  const rows = request.fields
    .map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
    .join("\n");
  return `${HEAD}<body>
<main>
<h1>The door works.</h1>
<p>This page came from the connector's built-in service <code>hello</code>. It was reached through a tunnel that the
connector opened from inside; nothing here listens on a port. Below is your request as an origin sees it.</p>
<section aria-labelledby="request">
<h2 id="request">Request</h2>
<code>${escapeHtml(request.method)} ${escapeHtml(request.path)}</code>
</section>
<section aria-labelledby="headers">
<h2 id="headers">Headers</h2>
<table>${rows}</table>
</section>
<div class="pair">
<section aria-labelledby="events"><h2 id="events">Server-sent events</h2><output id="sse">connecting</output></section>
<section aria-labelledby="socket"><h2 id="socket">WebSocket echo</h2><output id="ws">connecting</output>
<form id="echo"><input id="text" aria-label="Text to echo" value="hello" autocomplete="off"><button>Send</button></form></section>
</div>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function sourceHash(source: string): string {
  return `'sha256-${createHash("sha256").update(source).digest("base64")}'`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
