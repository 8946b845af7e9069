// The vectors of open redirects, by class, and how each can be spelled (R-E2). Imported by tests only.

/** R-E2, by class. */
export const VECTORS: Readonly<Record<string, readonly string[]>> = {
  "another host by slashes": [
    "//evil",
    "///evil",
    "////evil/%2e%2e",
    "//evil/..",
    "//evil.com/%2f..",
    "//google%00.com",
    "/.//evil",
    "/..//evil",
  ],
  "another host by backslashes": ["/\\evil", "\\/evil", "\\\\evil", "/\\/evil", "/./\\evil", "/./../../\\evil", "\\evil", "//\\evil"],
  "something between the slashes": [
    "/%09/evil",
    "/\t/evil",
    "/ /evil",
    "/\v\\evil",
    "/\n/evil",
    "/\r\n/evil",
    "/%0d%0a/evil",
    "/%20/evil",
    "/\u00a0/evil",
    "/\u200b/evil",
  ],
  "a scheme": [
    "https:evil",
    "https:/evil",
    "http:///evil",
    "https://evil",
    "javascript:alert(1)",
    "java\rscript:alert(1)",
    "JAVASCRIPT:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://evil/x",
  ],
  "credentials in front": [
    "https://good@evil",
    "https://good.example.com@evil",
    "https://good%2f@evil",
    "https://evil\\@good",
    "@evil",
    "//good.example.com@evil",
  ],
  "a name that looks like ours": [
    "https://evil#good",
    "https://good.example.com.evil.com",
    "https://evilgood.example.com",
    "//good.example.com.evil.com",
  ],
  "our name, elsewhere": ["https://good.example.com:444", "http://good.example.com", "http://good.example.com:443/"],
  "numeric addresses": ["//2130706433", "//0x7f000001", "//017700000001", "//127.1", "https://[::1]/", "//[::ffff:127.0.0.1]"],
  "wide characters": ["/\uff0fevil", "\uff0f\uff0fevil", "/\uff3cevil", "//evil\u3002com", "\uff0f/evil", "/\u3000/evil"],
  "space around": [" /path", "/path ", " //evil", "\t//evil"],
  "line breaks": ["/\r\nSet-Cookie: a=b", "/a\nb", "/a\rb", "/%0d%0aLocation:%20https://evil", "/a\u0000b", "/a\u0085b"],
  "no path at all": ["", "evil", "?x", "#x", "./x", "..", "*"],
};

const escapeAll = (text: string): string => Buffer.from(text).reduce((all, byte) => `${all}%${byte.toString(16).padStart(2, "0")}`, "");
/** As encodeURIComponent, but nothing dangerous stays: the dots and everything else of a vector stay readable. */
export function spellings(vector: string): readonly string[] {
  const once = encodeURIComponent(vector);
  const keepFirst = vector.startsWith("/") ? `/${encodeURIComponent(vector.slice(1))}` : once;
  return [
    vector,
    once,
    encodeURIComponent(once),
    keepFirst,
    keepFirst.replaceAll("%", "%25"),
    escapeAll(vector),
    escapeAll(escapeAll(vector)),
  ];
}
