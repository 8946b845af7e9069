// The stylesheet of every page for people, and its hash for the Content-Security-Policy. Plain CSS, no asset, no
// script; light and dark by the visitor's setting; readable at 320 px and at 400 % zoom.

import { createHash } from "node:crypto";

export const STYLESHEET: string = `
:root{color-scheme:light dark;--ground:#f4f2ec;--sheet:#fffefb;--ink:#1b2422;--soft:#56625e;--line:#d9d6cb;--accent:#0f5c55;--on-accent:#ffffff;--stop:#a8381b;--stop-ground:#fbe9e3;--ok:#2c7a5b}
@media (prefers-color-scheme:dark){:root{--ground:#111716;--sheet:#19211f;--ink:#e9eeeb;--soft:#a3b0ab;--line:#2e3a37;--accent:#7fd1c4;--on-accent:#0b2320;--stop:#ff9d80;--stop-ground:#3a201a;--ok:#74c7a0}}
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:2rem 1rem;background:var(--ground);color:var(--ink);font:1rem/1.6 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:35rem;background:var(--sheet);border:1px solid var(--line);border-radius:14px;padding:clamp(1.5rem,5vw,2.75rem);box-shadow:0 1px 2px rgb(0 0 0/.04),0 12px 32px -18px rgb(0 0 0/.22)}
.who{display:flex;align-items:center;gap:.6rem;margin:0 0 1.75rem;color:var(--soft);font-size:.9375rem;overflow-wrap:anywhere}
.who svg{flex:none;width:1.5rem;height:1.5rem;color:var(--accent)}
h1{margin:0 0 .6rem;font-size:clamp(1.5rem,4.5vw,1.9rem);line-height:1.2;font-weight:650;letter-spacing:-.015em;text-wrap:balance}
p{margin:0 0 1rem;text-wrap:pretty}
.lead{font-size:1.0625rem}
.remedy{color:var(--soft)}
.path{list-style:none;display:flex;margin:1.75rem 0;padding:0}
.path li{position:relative;flex:1 1 0;min-width:0;padding-top:1.6rem;text-align:center;font-size:.8125rem;color:var(--soft)}
.path li::before{content:"";position:absolute;top:.5rem;left:calc(-50% + .5625rem);width:calc(100% - 1.125rem);border-top:2px solid var(--ok)}
.path li:first-child::before{display:none}
.path li::after{content:"";position:absolute;top:0;left:50%;width:1.125rem;height:1.125rem;margin-left:-.5625rem;border-radius:50%;border:2px solid var(--ok);background:var(--ok);box-shadow:inset 0 0 0 3px var(--sheet)}
.path .failed{color:var(--stop);font-weight:650}
.path .failed::before{border-top-style:dashed;border-color:var(--stop)}
.path .failed::after{border-color:var(--stop);background:linear-gradient(45deg,transparent 42%,var(--stop) 42% 58%,transparent 58%),linear-gradient(-45deg,transparent 42%,var(--stop) 42% 58%,transparent 58%),var(--stop-ground);box-shadow:none}
.path .unreached::before{border-top-style:dotted;border-color:var(--line)}
.path .unreached::after{border-color:var(--line);background:var(--sheet);box-shadow:none}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.5rem 0 0}
.button{display:inline-flex;align-items:center;justify-content:center;min-height:2.75rem;padding:.5rem 1.25rem;border:1px solid var(--line);border-radius:9px;color:var(--ink);background:transparent;font-weight:600;text-decoration:none}
.button.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
.button:hover{border-color:var(--accent)}
a{color:var(--accent);text-underline-offset:.2em}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:9px}
.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.35rem 1.25rem;margin:2rem 0 0;padding:1.25rem 0 0;border-top:1px solid var(--line);font-size:.875rem}
.facts dt{color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;user-select:all}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
footer{margin-top:1.25rem;font-size:.8125rem;color:var(--soft)}
@media (max-width:26rem){body{justify-content:flex-start;padding:0;background:var(--sheet)}main{border:0;border-radius:0;box-shadow:none}.actions .button{flex:1 1 100%}.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.6rem}.path{flex-direction:column}.path li{padding:0 0 1rem 1.9rem;text-align:left;font-size:.9375rem;line-height:1.25}.path li:last-child{padding-bottom:0}.path li::after{left:.5625rem}.path li::before{top:calc(-1rem + .1rem);left:.5rem;width:0;height:.85rem;border-top:0;border-left:2px solid var(--ok)}.path .failed::before{border-left:2px dashed var(--stop)}.path .unreached::before{border-left:2px dotted var(--line)}footer{align-self:flex-start;padding:0 1.5rem 1.5rem;margin-top:0}}
@media (forced-colors:active){.path li::after{forced-color-adjust:none}}
@media print{body{display:block;background:none}main{border:0;box-shadow:none}.actions{display:none}}
`;

/** For `style-src`: only this text, byte for byte, may style a page. */
export const STYLE_HASH: string = `'sha256-${createHash("sha256").update(STYLESHEET, "utf8").digest("base64")}'`;

/**
 * Policy of a page without forms: nothing is loaded, nothing runs, nobody frames it. `form-action` is added by the
 * pages that have a form, since it must list the hosts that their answer leads to.
 */
export function contentSecurityPolicy(formAction = "'none'"): string {
  return `default-src 'none'; style-src ${STYLE_HASH}; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'`;
}
