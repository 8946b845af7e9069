// The pages for people in a real browser: their policy lets them be what they are, they fit a narrow phone, and a keyboard
// reaches and shows everything (A17, R-E5, WCAG 2.2: 1.4.10, 2.1.1, 2.4.7, 2.5.8).

import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { startBrowser } from "../harness/browser.ts";
import { need } from "../harness/need.ts";
import { servePages } from "../harness/pages.ts";

/** WCAG 2.5.8, in CSS pixels. */
const MIN_TARGET = 24;
const NARROW = 320;
const SCRIPTED_LOGO = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><circle r="9"/><script>document.documentElement.setAttribute("ran", "yes")</script></svg>',
);

interface Finding {
  readonly overflow: number;
  readonly small: readonly string[];
  readonly unreached: readonly string[];
  readonly unmarked: readonly string[];
}

test("every page keeps its own policy, fits 320 pixels, and is usable with a keyboard alone", async (context) => {
  const [chromium = ""] = need(context, "chromium");
  await using stack = new AsyncDisposableStack();
  const { origin, names } = await servePages(stack);
  const browser = await startBrowser(stack, chromium);
  const page = await browser.newPage({ viewport: { width: NARROW, height: 640 } });
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  const findings = new Map<string, Finding>();
  for (const name of names) {
    await page.goto(`${origin}/${name}`);
    findings.set(name, { ...(await measure(page)), ...(await walk(page)) });
  }
  expect(names.length).toBeGreaterThan(20);
  expect(complaints).toEqual([]);
  const fine: Finding = { overflow: 0, small: [], unreached: [], unmarked: [] };
  expect(Object.fromEntries(findings)).toEqual(Object.fromEntries(names.map((name) => [name, fine])));
});

test("an SVG logo that is opened by itself runs no script, and is shown on the pages", async (context) => {
  const [chromium = ""] = need(context, "chromium");
  await using stack = new AsyncDisposableStack();
  const logo = { type: "image/svg+xml", base64: SCRIPTED_LOGO.toString("base64") } as const;
  const { origin } = await servePages(stack, { name: "Example Ltd", logo, accent: "#7a1fa2" });
  const browser = await startBrowser(stack, chromium);
  const page = await browser.newPage();
  await page.goto(`${origin}/sign-in`);
  const image = page.locator(".who img");
  expect(await image.evaluate((element) => Reflect.get(element, "naturalWidth") as number)).toBeGreaterThan(0);
  expect(await page.evaluate<string>('getComputedStyle(document.querySelector(".choice svg")).color')).toBe("rgb(122, 31, 162)");
  await page.goto(origin + ((await image.getAttribute("src")) ?? ""));
  expect(await page.locator("circle").count()).toBe(1);
  expect(await page.locator("svg").getAttribute("ran")).toBeNull();
});

/** Runs in the page, hence as text: Node has no DOM. */
const MEASURE = `(() => {
  const targets = [...document.querySelectorAll("a[href], button, input:not([type=hidden])")];
  const small = targets.filter((target) => { const box = target.getBoundingClientRect(); return box.width < ${MIN_TARGET} || box.height < ${MIN_TARGET}; });
  return { overflow: document.documentElement.scrollWidth - ${NARROW}, small: small.map((target) => target.outerHTML) };
})()`;

async function measure(page: Page): Promise<Pick<Finding, "overflow" | "small">> {
  return await page.evaluate<Pick<Finding, "overflow" | "small">>(MEASURE);
}

const FOCUSED = `(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return { text: element.outerHTML, marked: outlineStyle === "solid" && parseFloat(outlineWidth) >= 2 };
})()`;

/** Tabs through the page from its start. */
async function walk(page: Page): Promise<Pick<Finding, "unreached" | "unmarked">> {
  const targets = await page.evaluate<string[]>(
    `[...document.querySelectorAll("a[href], button, input:not([type=hidden])")].map((target) => target.outerHTML)`,
  );
  await page.evaluate("document.activeElement?.blur(); document.body.tabIndex = -1; document.body.focus()");
  const seen = new Map<string, boolean>();
  for (let step = 0; step < targets.length; step++) {
    await page.keyboard.press("Tab");
    const { text, marked } = await page.evaluate<{ text: string; marked: boolean }>(FOCUSED);
    seen.set(text, marked);
  }
  const reached = targets.filter((target) => seen.has(target));
  return { unreached: targets.filter((target) => !seen.has(target)), unmarked: reached.filter((target) => seen.get(target) !== true) };
}
