import { describe, expect, test } from "vitest";
import { applicationsSchema } from "./application-schema.ts";
import { identityHeadersSchema } from "./origin-schema.ts";

const application = { name: "wiki", hostname: "wiki.example.com", tunnel: "office", service: "wiki" };

function problems(value: unknown): readonly string[] {
  const result = identityHeadersSchema.safeParse(value);
  return result.success ? [] : result.error.issues.map(({ message }) => message);
}

describe("identityHeaders", () => {
  test("a preset and headers of one's own make one list; one's own win", () => {
    expect(identityHeadersSchema.parse({ preset: "remote", headers: { "remote-user": "subject", "X-Team": "groups" } })).toEqual([
      { name: "remote-user", value: "subject" },
      { name: "Remote-Email", value: "email" },
      { name: "Remote-Name", value: "name" },
      { name: "Remote-Groups", value: "groups" },
      { name: "X-Team", value: "groups" },
    ]);
  });

  test.each([
    "Host",
    "Content-Length",
    "Connection",
    "Transfer-Encoding",
    "Cookie",
    "Set-Cookie",
    "Authorization",
    "Proxy-Authorization",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Real-IP",
    "Forwarded",
    "Origin",
    "Content-Type",
    "Sallyport-User",
    "Cf-Access-Authenticated-User-Email",
    "X_User",
    "X User",
    "X-User\r\nX-Admin",
    "",
  ])("%j cannot hold an identity", (name) => expect(problems({ headers: { [name]: "user" } })).not.toEqual([]));

  test.each([
    ["no header at all", {}],
    ["two spellings of one name", { headers: { "X-User": "user", "x-user": "email" } }],
    ["a value that is none", { headers: { "X-User": "password" } }],
    ["more than 20", { headers: Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`X-User-${at}`, "user"])) }],
  ])("%s is refused", (_name, value) => expect(problems(value)).not.toEqual([]));
});

describe("compatibility", () => {
  test("the AUD tag is 64 hexadecimal digits and needs the option", () => {
    const parse = (more: object): boolean => applicationsSchema.safeParse([{ ...application, ...more }]).success;
    expect(parse({ compatibility: "cloudflare-access" })).toBe(true);
    expect(parse({ compatibility: "cloudflare-access", accessAudience: "ab".repeat(32) })).toBe(true);
    expect(parse({ accessAudience: "ab".repeat(32) })).toBe(false);
    expect(parse({ compatibility: "cloudflare-access", accessAudience: "AB".repeat(32) })).toBe(false);
    expect(parse({ compatibility: "pomerium" })).toBe(false);
  });

  test("a password in the file itself is refused, and a user name that HTTP cannot carry", () => {
    const parse = (originBasicAuth: object): boolean => applicationsSchema.safeParse([{ ...application, originBasicAuth }]).success;
    expect(parse({ user: "door", password: { env: "X" } })).toBe(true);
    expect(parse({ user: "door", password: "hunter2" })).toBe(false);
    expect(parse({ user: "do:or", password: { env: "X" } })).toBe(false);
    expect(parse({ user: "do\nor", password: { env: "X" } })).toBe(false);
  });
});
