// How the pages look at one relay: its name, its colour and logo, and the files that the pages of the auth host load. Made once
// per configuration. A policy comes with every page, made here beside the markup that it has to match (R-E5).

import { createHash } from "node:crypto";
import type { Fields } from "@sallyport/shared/http/fields";
import type { PagesConfig } from "../config/pages-types.ts";
import { MARK } from "./icons.ts";
import { PALETTES, withAccent } from "./palette.ts";
import { inlineStyles, linkedStyles } from "./stylesheet.ts";
import { html, Html } from "./template.ts";

const ASSETS = "/.sallyport/assets/";
const FOR_EVER = "public, max-age=31536000, immutable";

/** A file that pages load from the auth host. Public, and named by its content: it never changes. */
export interface Asset {
  /** `/.sallyport/assets/sallyport.<hash>.css` */
  readonly path: string;
  readonly body: Uint8Array;
  /** Content-Type and what keeps the file from being anything else; without Cache-Control. */
  readonly headers: Fields;
  readonly cacheControl: string;
}

/** Where a page is shown: `auth` pages load files of their own host; pages elsewhere carry their style inline. */
export type PageHost = "auth" | "elsewhere";

/** What pages of one kind of host have in common. */
export interface Dress {
  /** Style and icon, for the document's head. */
  readonly head: Html;
  readonly mark: Html;
  /** CSP directives but img-src and form-action. */
  readonly sources: string;
  /** Source expressions of img-src. */
  readonly images: readonly string[];
}

export interface Look {
  readonly name: string;
  /** mailto: or https: address of the people who run this. */
  readonly contact: string | undefined;
  readonly texts: PagesConfig["texts"];
  readonly dress: Readonly<Record<PageHost, Dress>>;
  /** By path. */
  readonly assets: ReadonlyMap<string, Asset>;
}

/** @param authOrigin origin of the auth host, where pages of other hosts find the logo; undefined: they show none */
export function createLook(pages: PagesConfig, authOrigin?: string): Look {
  const palettes = pages.accent === undefined ? PALETTES : withAccent(pages.accent);
  const sheet = asset("sallyport", "css", Buffer.from(linkedStyles(palettes)), ["Content-Type", "text/css; charset=utf-8"]);
  const logo = pages.logo === undefined ? undefined : image("logo", pages.logo.type, Buffer.from(pages.logo.base64, "base64"));
  const icon = logo ?? image("icon", "image/svg+xml", Buffer.from(iconSvg(palettes.light.accent)));
  const files = [sheet, icon];
  return {
    name: pages.name,
    contact: pages.contact,
    texts: pages.texts,
    dress: { auth: linked(sheet, icon, logo), elsewhere: inline(inlineStyles(palettes), logo, authOrigin) },
    assets: new Map(files.map((file) => [file.path, file])),
  };
}

/** The stylesheet of a look, as a file. */
export function stylesheetAsset(look: Look): Asset {
  const found = [...look.assets.values()].find(({ path }) => path.endsWith(".css"));
  if (found === undefined) throw new TypeError("a look without a stylesheet");
  return found;
}

function linked(sheet: Asset, icon: Asset, logo: Asset | undefined): Dress {
  return {
    head: html`<link rel="stylesheet" href="${sheet.path}" /><link rel="icon" href="${icon.path}" />`,
    mark: logo === undefined ? MARK : html`<img src="${logo.path}" alt="" />`,
    sources: "default-src 'none'; style-src 'self'",
    images: ["'self'"],
  };
}

function inline(css: string, logo: Asset | undefined, authOrigin: string | undefined): Dress {
  const sources = `default-src 'none'; style-src 'sha256-${digest(css, "base64")}'`;
  const head = new Html(`<style>${css}</style>`);
  if (logo === undefined || authOrigin === undefined) return { head, mark: MARK, sources, images: [] };
  return { head, mark: html`<img src="${authOrigin}${logo.path}" alt="" />`, sources, images: [authOrigin] };
}

function iconSvg(colour: string): string {
  return MARK.text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ').replace("currentColor", colour);
}

/**
 * An image may be shown and nothing else: an SVG opened by itself is a document, and gets no script, no origin, no network.
 * Other hosts' pages show it too, hence the resource policy.
 */
function image(name: string, type: "image/svg+xml" | "image/png", body: Buffer): Asset {
  const policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
  const headers = ["Content-Type", type, "Content-Security-Policy", policy, "Cross-Origin-Resource-Policy", "cross-origin"];
  return asset(name, type === "image/png" ? "png" : "svg", body, headers);
}

function asset(name: string, extension: string, body: Buffer, headers: Fields): Asset {
  const hash = digest(body, "hex").slice(0, 16);
  return { path: `${ASSETS}${name}.${hash}.${extension}`, body, headers, cacheControl: FOR_EVER };
}

function digest(content: string | Uint8Array, encoding: "hex" | "base64"): string {
  return createHash("sha256").update(content).digest(encoding);
}

export const NO_BRANDING: PagesConfig = {
  name: "Sallyport",
  logo: undefined,
  accent: undefined,
  contact: undefined,
  texts: { signIn: undefined, denied: undefined, footer: undefined },
};

export const DEFAULT_LOOK: Look = createLook(NO_BRANDING);

export interface PageHeaderOptions {
  readonly look?: Look | undefined;
  readonly host?: PageHost | undefined;
  /**
   * Where forms of the page lead: undefined where it has none, `[]` for its own host. A redirect that answers a form is
   * checked as well, so that other origins it may end at belong here.
   */
  readonly formActionOrigins?: readonly string[] | undefined;
  /** Origins besides its own that the page loads images of. */
  readonly imageOrigins?: readonly string[] | undefined;
}

/**
 * Content-Type, Content-Security-Policy and X-Frame-Options of a page: nothing runs, nobody frames it. Cache-Control
 * no-store, Referrer-Policy no-referrer and nosniff are on every answer of the relay's own (respond.ts, ownFields).
 */
export function pageHeaders(options: PageHeaderOptions = {}): Fields {
  return ["Content-Type", "text/html; charset=utf-8", ...framingHeaders(options)];
}

/** {@link pageHeaders} without Content-Type: JSON answers have them as well. */
export function framingHeaders({
  look = DEFAULT_LOOK,
  host = "auth",
  formActionOrigins,
  imageOrigins = [],
}: PageHeaderOptions = {}): Fields {
  const { sources, images } = look.dress[host];
  const imageSources = [...images, ...imageOrigins];
  const forms = formActionOrigins === undefined ? "'none'" : ["'self'", ...formActionOrigins].join(" ");
  const shown = imageSources.length === 0 ? "" : `; img-src ${imageSources.join(" ")}`;
  const policy = `${sources}${shown}; base-uri 'none'; form-action ${forms}; frame-ancestors 'none'`;
  return ["Content-Security-Policy", policy, "X-Frame-Options", "DENY"];
}
