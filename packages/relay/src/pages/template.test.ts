import { describe, expect, it } from "vitest";
import { createHash } from "node:crypto";
import { UNKNOWN_HOST_PAGE } from "./refusal-page.ts";
import { contentSecurityPolicy, STYLESHEET } from "./stylesheet.ts";
import { escapeHtml, html, safeHref } from "./template.ts";

describe("the template tag", () => {
  it("escapes strings, passes markup, joins lists and drops what is absent", () => {
    const inner = html`<b title="${"\"'"}">${"<i>&"}</b>`;
    expect(html`${inner}|${[html`a`, html`b`]}|${undefined}|${false}|${7}|${"&amp;"}`.text).toBe(
      '<b title="&quot;&#39;">&lt;i&gt;&amp;</b>|ab|||7|&amp;amp;',
    );
  });

  it("makes invisible and reordering characters visible, and leaves letters of every script alone", () => {
    expect(escapeHtml("a\u202eb\u0000c\u200b\u2066d\ufeff\u001b[1m")).toBe("a\ufffdb\ufffdc\ufffd\ufffdd\ufffd\ufffd[1m");
    expect(escapeHtml("Zoë 田中 👩\tb\n")).toBe("Zoë 田中 👩\tb\n");
  });

  it.each(["javascript:alert(1)", " https://a", "data:text/html,x", "//a", "/a", "https:// a", "https://[", "HTTPS://a\n", undefined])(
    "gives no link for %j",
    (url) => {
      expect(safeHref(url)).toBeUndefined();
    },
  );

  it.each(["https://a.example.com/x?y", "http://a.relay.localhost:8080/", "mailto:it@example.com?subject=x"])(
    "gives a link for %s",
    (url) => {
      expect(safeHref(url)).toBe(url);
    },
  );
});

describe("every page", () => {
  it("is styled by exactly the text that its policy names, and holds no script or foreign address", () => {
    const style = /<style>([^]*?)<\/style>/.exec(UNKNOWN_HOST_PAGE)?.[1] ?? "";
    expect(style).toBe(STYLESHEET);
    expect(contentSecurityPolicy()).toContain(`'sha256-${createHash("sha256").update(style).digest("base64")}'`);
    expect(UNKNOWN_HOST_PAGE).not.toMatch(/<script|\son\w+=|\bstyle=|src=|url\(|@import|https?:/i);
  });

  it.each([
    ["text on its sheet, light", "#1b2422", "#fffefb", 7],
    ["soft text on its sheet, light", "#56625e", "#fffefb", 4.5],
    ["soft text on the ground, light", "#56625e", "#f4f2ec", 4.5],
    ["button, light", "#ffffff", "#0f5c55", 4.5],
    ["failed stop, light", "#a8381b", "#fffefb", 4.5],
    ["text on its sheet, dark", "#e9eeeb", "#19211f", 7],
    ["soft text on its sheet, dark", "#a3b0ab", "#19211f", 4.5],
    ["button, dark", "#0b2320", "#7fd1c4", 4.5],
    ["failed stop, dark", "#ff9d80", "#19211f", 4.5],
  ])("has the contrast that WCAG 2.2 asks for: %s", (_name, text, ground, ratio) => {
    expect(STYLESHEET).toContain(text);
    expect(STYLESHEET).toContain(ground);
    const [lighter = 0, darker = 0] = [luminance(text), luminance(ground)].toSorted((a, b) => b - a);
    expect((lighter + 0.05) / (darker + 0.05)).toBeGreaterThanOrEqual(ratio);
  });
});

/** Relative luminance (WCAG 2.2). */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.040_45 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
