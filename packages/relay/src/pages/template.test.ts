import { describe, expect, it } from "vitest";
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
