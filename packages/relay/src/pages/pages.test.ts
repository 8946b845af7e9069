import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { firstValue } from "@sallyport/shared/http/fields";
import { renderPage } from "./layout.ts";
import { createLook, type Look, NO_BRANDING, pageHeaders, stylesheetAsset } from "./look.ts";
import { signInPage } from "./sign-in-page.ts";
import { refusalPage, UNKNOWN_HOST_PAGE } from "./refusal-page.ts";
import { renderSamples, sampleRefusals, type Say } from "./test-support.ts";

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&\u202e`;
const ORIGIN = "https://auth.example.com";
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
const BRANDED = branded((plausible) => plausible);
const LOOKS = { plain: createLook(NO_BRANDING, ORIGIN), branded: BRANDED };
const CASES = (["auth", "elsewhere"] as const).flatMap((host) =>
  Object.entries(LOOKS).flatMap(([label, look]) =>
    [...renderSamples(look, host)].map(([name, page]) => ({ name, look, host, page, title: `${name} (${label}, ${host})` })),
  ),
);

function branded(say: Say): Look {
  const texts = {
    signIn: say("Use your account of Example Ltd."),
    denied: say("Ask your manager."),
    footer: say("Example Ltd, Bielefeld"),
  };
  const logo = { type: "image/svg+xml", base64: SVG.toString("base64") } as const;
  return createLook({ name: say("Example Ltd"), logo, accent: "#7a1fa2", contact: "mailto:help@example.com", texts }, ORIGIN);
}

describe.each(CASES)("$title", ({ name, look, host, page: { body, fields } }) => {
  const policy = firstValue(fields, "content-security-policy") ?? "";

  it("has no script, no inline style attribute, and no foreign address (R-E5)", () => {
    expect(body).not.toMatch(/<script|<iframe|<object|\son\w+=|\sstyle=|@import|url\(|http-equiv/i);
    const loaded = [...body.matchAll(/(?:src|<link[^>]*href)="([^"]*)"/g)].map((match) => match[1] ?? "");
    for (const address of loaded) expect(address.replace(ORIGIN, "")).toMatch(/^\/\.sallyport\/assets\/[a-z]+\.[0-9a-f]{16}\.(?:css|svg)$/);
    expect(host === "auth" ? loaded.length : 1).toBeGreaterThan(0);
  });

  it("has a policy that allows what it holds and nothing more", () => {
    const styles = [...body.matchAll(/<style>([^]*?)<\/style>/g)].map((match) => match[1] ?? "");
    const hashes = styles.map((css) => `'sha256-${createHash("sha256").update(css).digest("base64")}'`);
    expect(directive(policy, "style-src")).toEqual(host === "auth" ? ["'self'"] : hashes);
    expect(directive(policy, "default-src")).toEqual(["'none'"]);
    expect(directive(policy, "frame-ancestors")).toEqual(["'none'"]);
    expect(directive(policy, "base-uri")).toEqual(["'none'"]);
    expect(directive(policy, "form-action")).toEqual([body.includes("<form") ? "'self'" : "'none'"]);
    expect(directive(policy, "script-src")).toBeUndefined();
    expect(policy).not.toMatch(/unsafe|\*|data:/);
    const images = [...body.matchAll(/<img src="([^"]*)"/g)].map((match) => match[1] ?? "");
    expect(images.every((src) => directive(policy, "img-src")?.includes(src.startsWith("/") ? "'self'" : ORIGIN))).toBe(true);
    for (const path of [...body.matchAll(/"(?:https:\/\/auth\.example\.com)?(\/\.sallyport\/assets\/[^"]*)"/g)]) {
      expect(look.assets.has(path[1] ?? "")).toBe(true);
    }
  });

  it("has one heading, a language, a title that begins like the heading, and a viewport that can be zoomed", () => {
    expect(body.match(/<h1>/g)).toHaveLength(1);
    expect(body).toContain('<html lang="en">');
    const heading = /<h1>([^<]*)</.exec(body)?.[1] ?? "?";
    expect(/<title>([^<]*)</.exec(body)?.[1]).toMatch(new RegExp(`^(?:Error: )?${heading.replaceAll("?", String.raw`\?`)} · `));
    expect(body).not.toMatch(/maximum-scale|user-scalable/);
  });

  it("labels every input, and ties hints and problems to it", () => {
    const ids = [...body.matchAll(/\sid="([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [input] of body.matchAll(/<input(?![^>]*type="hidden")[^>]*>/g)) {
      const id = /\sid="([^"]*)"/.exec(input)?.[1] ?? "?";
      expect(body).toContain(`<label for="${id}">`);
      for (const reference of (/aria-describedby="([^"]*)"/.exec(input)?.[1] ?? "?").split(" ")) expect(ids).toContain(reference);
      expect(input.includes('aria-invalid="true"')).toBe(name.endsWith("-problem"));
    }
  });

  it("is small", () => expect(body.length).toBeLessThan(16_000));
});

it.each(["auth", "elsewhere"] as const)("what people, programs and operators write changes no markup of any page (%s)", (host) => {
  const harmless = renderSamples(BRANDED, host);
  const hostile = renderSamples(
    branded(() => HOSTILE),
    host,
    () => HOSTILE,
  );
  expect(hostile.size).toBeGreaterThan(20);
  for (const [name, { body }] of hostile) {
    expect.soft(body, name).not.toContain("\u202e");
    expect.soft(markup(body), name).toEqual(markup(harmless.get(name)?.body ?? ""));
  }
});

/** Every tag with the names of its attributes, as a browser reads them. */
function markup(body: string): readonly string[] {
  const tags = body.match(/<\/?[a-z][^\s>]*(?:\s+[^\s=>]+(?:="[^"]*")?)*\s*\/?>/gi) ?? [];
  return tags.map((tag) => tag.replaceAll(/="[^"]*"/g, "="));
}

it.each(["javascript:alert(1)", "data:text/html,x", "//evil.example", "/\\evil.example", "/\tevil"])("no page has a link to %j", (href) => {
  const parts = signInPage({ choices: [{ label: "x", href, way: "redirect" }] });
  expect(renderPage(parts).body).toContain('class="choice" href=""');
  const denied = sampleRefusals()["denied"];
  if (denied === undefined) throw new Error("no sample");
  expect(refusalPage({ ...denied, loginUrl: href, contact: href })).not.toMatch(/class="button/);
});

describe("the code form", () => {
  it("asks for a one-time code with digits, and says that it was wrong where the eye and the screen reader are", () => {
    const pages = renderSamples();
    expect(pages.get("pin-code")?.body).toMatch(/<input[^>]*inputmode="numeric"[^>]*autocomplete="one-time-code"/);
    expect(pages.get("pin-code-problem")?.body).toMatch(/<title>Error: [^]*role="alert"[^]*aria-describedby="pin-problem pin-hint"/);
  });
});

describe("the denied page (A17, R-M6)", () => {
  it("says why, as whom, with which request id, and leads to another account and to the people who decide", () => {
    const { body } = renderSamples().get("denied") ?? { body: "" };
    for (const part of [
      "None of the policies",
      "ann.lee@example.com",
      // Shown, and not only in the address of the mail.
      "<code>0f2b7c1e-5b0d-4c9a-9a57-3d1f6e2b8c44</code>",
      "Use another account",
      "Ask for access",
    ])
      expect(body).toContain(part);
    expect(body).toContain("mailto:help@example.com?subject=Access%20to%20grafana&amp;body=Request%20id%3A%200f2b7c1e");
  });
});

describe("assets", () => {
  it("have a name that changes with the content, and last for ever", () => {
    const [plain, other] = [stylesheetAsset(LOOKS.plain), stylesheetAsset(BRANDED)];
    expect(plain.path).toMatch(/^\/\.sallyport\/assets\/sallyport\.[0-9a-f]{16}\.css$/);
    expect(plain.path).not.toBe(other.path);
    expect(plain.cacheControl).toContain("immutable");
    expect(firstValue(plain.headers, "content-type")).toBe("text/css; charset=utf-8");
  });

  it("an SVG with a script in it stays an image: sandboxed, without sources", () => {
    const logo = [...BRANDED.assets.values()].find(({ path }) => path.endsWith(".svg"));
    expect(Buffer.from(logo?.body ?? []).equals(SVG)).toBe(true);
    expect(firstValue(logo?.headers ?? [], "content-type")).toBe("image/svg+xml");
    expect(firstValue(logo?.headers ?? [], "content-security-policy")).toBe("default-src 'none'; style-src 'unsafe-inline'; sandbox");
  });

  it("the stylesheet loads nothing", () => {
    for (const { path, body } of [stylesheetAsset(LOOKS.plain)])
      expect(Buffer.from(body).toString(), path).not.toMatch(/url\(|@import|https?:|expression/i);
  });
});

describe("page headers", () => {
  it("list the origins that a form may end at, since 'self' alone blocks a redirect to another host", () => {
    const fields = pageHeaders({ formActionOrigins: ["https://app.example.com", "https://idp.example.com"] });
    expect(directive(firstValue(fields, "content-security-policy") ?? "", "form-action")).toEqual([
      "'self'",
      "https://app.example.com",
      "https://idp.example.com",
    ]);
    expect(firstValue(fields, "x-frame-options")).toBe("DENY");
  });
});

it("R-B6: the page for hosts that are not ours bears nobody's name", () => {
  expect(UNKNOWN_HOST_PAGE).toContain("Sallyport");
  expect(UNKNOWN_HOST_PAGE).not.toMatch(/<img|href=|https?:/);
});

function directive(policy: string, name: string): string[] | undefined {
  const found = policy.split("; ").find((part) => part.startsWith(`${name} `));
  return found?.split(" ").slice(1);
}
