// The stylesheets of the pages for people. Plain CSS, no script; light and dark by the visitor's setting; readable at 320 px
// and at 400 % zoom. FRAME is what every page needs and refusals carry inline; FORMS is added where people sign in.

import { PALETTES, type Palette, type Palettes } from "./palette.ts";

const FRAME = `
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;justify-content:center;padding:2rem 1rem;background:var(--ground);color:var(--ink);font:1rem/1.6 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{width:100%;max-width:35rem;background:var(--sheet);border:1px solid var(--line);border-radius:14px;padding:clamp(1.5rem,5vw,2.75rem);box-shadow:0 1px 2px rgb(0 0 0/.04),0 12px 32px -18px rgb(0 0 0/.22)}
.who{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem .6rem;margin:0 0 1.75rem;color:var(--soft);font-size:.9375rem;overflow-wrap:anywhere}
.who svg{flex:none;width:1.5rem;height:1.5rem;color:var(--accent)}
.who img{display:block;height:1.75rem;max-width:8rem;object-fit:contain}
.who .at{padding-left:.65rem;border-left:1px solid var(--line);min-width:0}
h1{margin:0 0 .6rem;font-size:clamp(1.5rem,4.5vw,1.9rem);line-height:1.2;font-weight:650;letter-spacing:-.015em;text-wrap:balance;overflow-wrap:anywhere}
p{margin:0 0 1rem;text-wrap:pretty;overflow-wrap:break-word}
main>:last-child{margin-bottom:0}
.lead{font-size:1.0625rem}
.remedy,.note{color:var(--soft)}
.reason{margin:1.25rem 0;padding:.15rem 0 .15rem 1rem;border-left:3px solid var(--stop);overflow-wrap:anywhere}
.reason b{display:block;font-size:.8125rem;font-weight:600;color:var(--stop)}
.account{display:flex;align-items:center;gap:.85rem;margin:1.25rem 0;padding:.8rem 1rem;border:1px solid var(--line);border-radius:9px}
.account span{display:block;min-width:0;line-height:1.35;overflow-wrap:anywhere}
.account small{display:block;font-size:.8125rem;color:var(--soft)}
.account b{font-weight:600}
.account .button{flex:none;margin-left:auto}
.initial{flex:none;display:grid!important;place-items:center;width:2.25rem;height:2.25rem;border-radius:50%;background:var(--ground);color:var(--accent);font-weight:650;line-height:1}
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
.button{display:inline-flex;align-items:center;justify-content:center;min-height:2.75rem;padding:.5rem 1.25rem;border:1px solid var(--line);border-radius:9px;color:var(--ink);background:transparent;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
.button.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
.button:hover{border-color:var(--accent)}
.button.main:hover{text-decoration:underline;text-underline-offset:.2em}
a{color:var(--accent);text-underline-offset:.2em}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px;border-radius:9px}
.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.35rem 1.25rem;margin:2rem 0 0;padding:1.25rem 0 0;border-top:1px solid var(--line);font-size:.875rem}
.facts dt{color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
code{font:.8125rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;user-select:all}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
footer{width:100%;max-width:35rem;margin-top:1.25rem;text-align:center;font-size:.8125rem;color:var(--soft);overflow-wrap:break-word}
@media (max-width:30rem){body{justify-content:flex-start;padding:0;background:var(--sheet)}main{border:0;border-radius:0;box-shadow:none}.actions .button,.account .button{flex:1 1 100%}.account{flex-wrap:wrap}.account>span:not(.initial){flex:1 1 0}.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:.6rem}.path{flex-direction:column}.path li{padding:0 0 1rem 1.9rem;text-align:left;font-size:.9375rem;line-height:1.25}.path li:last-child{padding-bottom:0}.path li::after{left:.5625rem}.path li::before{top:calc(-1rem + .1rem);left:.5rem;width:0;height:.85rem;border-top:0;border-left:2px solid var(--ok)}.path .failed::before{border-left:2px dashed var(--stop)}.path .unreached::before{border-left:2px dotted var(--line)}footer{text-align:left;padding:0 1.5rem 1.5rem;margin-top:0}}
@media (forced-colors:active){.path li::after{forced-color-adjust:none}}
@media print{body{display:block;background:none}main{border:0;box-shadow:none}.actions{display:none}}
`;

const FORMS = `
.choices,.apps{list-style:none;display:grid;gap:.75rem;margin:1.5rem 0 0;padding:0}
.choice{display:flex;align-items:center;gap:.85rem;min-height:3.5rem;padding:.6rem 1rem;border:1px solid var(--line);border-radius:9px;color:var(--ink);font-weight:600;line-height:1.35;text-decoration:none}
.choice:hover{border-color:var(--accent);background:var(--ground)}
.choice span{flex:1 1 auto;min-width:0;overflow-wrap:anywhere}
.choice small{display:block;font-size:.8125rem;font-weight:400;color:var(--soft)}
.choice svg{flex:none;width:1.4rem;height:1.4rem;color:var(--accent)}
.choice svg:last-child{width:1.1rem;height:1.1rem;color:var(--soft)}
.choice .initial{flex:none;border-radius:9px;background:var(--accent);color:var(--on-accent)}
form{margin:1.5rem 0 0}
label{display:block;margin:0 0 .4rem;font-weight:600}
input:not([type=hidden]){display:block;width:100%;min-height:2.75rem;padding:.5rem .85rem;border:1px solid var(--edge);border-radius:9px;background:var(--sheet);color:var(--ink);font:inherit}
input:focus-visible{outline-offset:0;border-color:var(--accent)}
input.code{font:600 1.375rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;letter-spacing:.22em}
input[aria-invalid=true]{border:2px solid var(--stop)}
.hint{margin:.45rem 0 0;font-size:.875rem;color:var(--soft)}
.problem{display:flex;gap:.7rem;margin:1.25rem 0 0;padding:.75rem 1rem;border-radius:9px;background:var(--stop-ground);color:var(--stop);font-weight:600}
.problem svg{flex:none;width:1.25rem;height:1.25rem;margin-top:.15rem}
.after{margin:1.25rem 0 0;font-size:.9375rem}
.after+.after{margin-top:.35rem}
.after a{display:inline-block;padding:.4rem 0}
.emblem{display:grid;place-items:center;width:3rem;height:3rem;margin:0 0 1.25rem;border-radius:50%;border:2px solid var(--ok);color:var(--ok)}
.emblem svg{width:1.5rem;height:1.5rem}
.compare{margin:1.25rem 0;padding:.9rem 1rem;border-radius:9px;background:var(--ground);text-align:center;font:650 clamp(1.25rem,6vw,1.75rem)/1.3 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;letter-spacing:.12em}
.caution{padding:.15rem 0 .15rem 1rem;border-left:3px solid var(--accent)}
.facts.inside{margin-top:1.25rem;font-size:.9375rem}
@media (min-width:44rem){.wide{max-width:46rem}.apps{grid-template-columns:1fr 1fr}}
`;

/** For pages that carry their style with them: refusals, on whatever host. */
export function inlineStyles(palettes: Palettes = PALETTES): string {
  return variables(palettes) + FRAME;
}

/** For the file that the pages of the auth host link to. */
export function linkedStyles(palettes: Palettes = PALETTES): string {
  return variables(palettes) + FRAME.trimEnd() + FORMS;
}

function variables({ light, dark }: Palettes): string {
  return `\n:root{color-scheme:light dark;${declare(light)}}\n@media (prefers-color-scheme:dark){:root{${declare(dark)}}}`;
}

function declare(palette: Palette): string {
  const names = Object.entries(palette) as readonly (readonly [string, string])[];
  return names.map(([name, colour]) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}:${colour}`).join(";");
}
