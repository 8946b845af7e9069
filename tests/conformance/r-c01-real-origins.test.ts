// R-C1, R-C3, R-C9: identity headers at origins that fold names as CGI does, and believe what they read: gunicorn with its
// own protection switched off, and php's built-in server. However a visitor spells a forgery, the origin sees the relay's word.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, type TestContext } from "vitest";
import { need } from "../harness/need.ts";
import { Program } from "../harness/program.ts";
import { freePort, scratchFolder } from "../harness/scratch.ts";
import { type Bed, createBed } from "./support/bed.ts";
import { SignedIn, signedInOptions } from "./support/signed-in.ts";
import { ask, http2Ask, pseudo } from "./support/visit.ts";

const HOST = "people.example.test";
const KEEPING = "keeping.example.test";
const ann = { subject: "ann", email: "ann@example.com", name: "Ann Müller", groups: ["eng", "a,admins", "50%"] };
const identityHeaders = {
  preset: "x-forwarded",
  headers: { "Remote-User": "user", "Remote-Name": "name", "X-Team": "groups", "X-Service": "serviceToken" },
};
const EXPECTED = {
  HTTP_X_FORWARDED_USER: "ann@example.com",
  HTTP_X_FORWARDED_EMAIL: "ann@example.com",
  HTTP_X_FORWARDED_GROUPS: "eng,a%2Cadmins,50%25",
  HTTP_REMOTE_USER: "ann@example.com",
  HTTP_REMOTE_NAME: "Ann M%C3%BCller",
  HTTP_X_TEAM: "eng,a%2Cadmins,50%25",
};
const FORGED = [
  ...Object.keys(EXPECTED).map((name) => name.slice(5).replaceAll("_", "-")),
  "X-SERVICE",
  "REMOTE-GROUPS",
  "SALLYPORT-JWT-ASSERTION",
  "X-FORWARDED-FOR",
  "CF-ACCESS-JWT-ASSERTION",
];

const WSGI = `
import json

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if name.startswith("HTTP_")}).encode()]
`;
const PHP = `<?php
header("Content-Type: application/json");
echo json_encode(array_filter($_SERVER, fn($name) => str_starts_with($name, "HTTP_"), ARRAY_FILTER_USE_KEY));
`;

type Origin = (stack: AsyncDisposableStack, context: TestContext) => Promise<number>;

const gunicorn: Origin = async (stack, context) => {
  const [program = ""] = need(context, "gunicorn");
  const folder = scratchFolder(stack);
  writeFileSync(join(folder, "origin.py"), WSGI);
  // From version 22 on it drops names with underscores unless told otherwise; older ones ignore what they do not know.
  writeFileSync(join(folder, "gunicorn.conf.py"), 'header_map = "dangerous"\nforwarded_allow_ips = "*"\n');
  const port = await freePort();
  const args = [program, "--bind", `127.0.0.1:${port}`, "--worker-tmp-dir", folder, "origin:application"];
  await stack.use(new Program({ name: "gunicorn", command: "/usr/bin/python3", args, cwd: folder })).line(/Listening at/);
  return port;
};

const php: Origin = async (stack, context) => {
  const [program = ""] = need(context, "php");
  const folder = scratchFolder(stack);
  writeFileSync(join(folder, "origin.php"), PHP);
  const port = await freePort();
  await stack
    .use(new Program({ name: "php", command: program, args: ["-S", `127.0.0.1:${port}`, "origin.php"], cwd: folder }))
    .line(/started/);
  return port;
};

/** Spellings that fold into one name at such an origin, and what a client may try besides. */
function forgeries(name: string): string[] {
  const title = name.toLowerCase().replaceAll(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
  const names = [
    title,
    name,
    name.toLowerCase(),
    title.replaceAll("-", "_"),
    name.replaceAll("-", "_"),
    title.replace("-", "_"),
    title.replaceAll("-", "."),
  ];
  return [...new Set(names)].flatMap((spelling) => [`${spelling}: forged`, `${spelling}: root@example.com`]);
}

async function start(stack: AsyncDisposableStack, context: TestContext, origin: Origin): Promise<{ bed: Bed; person: SignedIn }> {
  const port = await origin(stack, context);
  const person = new SignedIn(ann, HOST, KEEPING);
  const applications = [
    { name: "people", hostname: HOST, identityHeaders },
    { name: "keeping", hostname: KEEPING, identityHeaders, keepUnderscoreHeaders: true },
    { name: "anonymous", hostname: "anonymous.example.test", identityHeaders, keepUnderscoreHeaders: true, policies: ["public"] },
  ];
  const bed = await createBed(stack, { ...signedInOptions(stack, [person], applications), service: { url: `http://127.0.0.1:${port}` } });
  return { bed, person };
}

function identityOf(seen: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(seen).filter(([name]) => /USER|EMAIL|GROUP|TEAM|SERVICE|REMOTE|NAME$/.test(name)));
}

describe.each<[string, Origin]>([
  ["gunicorn", gunicorn],
  ["php", php],
])("%s", (_name, origin) => {
  test(
    "R-C1, R-C3: sees the relay's identity once, and no forgery in any spelling, over HTTP/1.1 and HTTP/2",
    { timeout: 60_000 },
    async (context) => {
      await using stack = new AsyncDisposableStack();
      const { bed, person } = await start(stack, context, origin);
      for (const host of [HOST, KEEPING]) {
        for (const name of FORGED) {
          const fields = forgeries(name);
          const answer = await ask(bed, "/x", { host, fields: [...fields, person.cookie(host), ...fields] });
          expect([name, answer.status]).toEqual([name, 200]);
          expect(answer.body).not.toMatch(/forged|root@example/);
          const seen = JSON.parse(answer.body) as Record<string, string>;
          expect(identityOf(seen)).toEqual(EXPECTED);
          expect(seen["HTTP_SALLYPORT_JWT_ASSERTION"]).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
        }
        const flat = FORGED.flatMap(forgeries)
          .flatMap((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), "forged"])
          .slice(0, 120);
        const answer = await http2Ask(bed, [...pseudo("/x", host), "cookie", person.cookie(host).slice("Cookie: ".length), ...flat]);
        expect([answer.status, answer.body.includes("forged")]).toEqual([200, false]);
        expect(identityOf(JSON.parse(answer.body) as Record<string, string>)).toEqual(EXPECTED);
      }
    },
  );

  test("R-C1: sees nobody where nobody is known, whatever is claimed", { timeout: 60_000 }, async (context) => {
    await using stack = new AsyncDisposableStack();
    const { bed } = await start(stack, context, origin);
    for (const name of FORGED) {
      const answer = await ask(bed, "/x", { host: "anonymous.example.test", fields: forgeries(name) });
      expect([name, answer.status, identityOf(JSON.parse(answer.body) as Record<string, string>)]).toEqual([name, 200, {}]);
      expect(answer.body).not.toContain("forged");
    }
  });

  test("R-C4: Connection cannot take the relay's word away", { timeout: 60_000 }, async (context) => {
    await using stack = new AsyncDisposableStack();
    const { bed, person } = await start(stack, context, origin);
    for (const name of ["X-Forwarded-User", "Remote-User", "X-Team", "x_team"]) {
      const answer = await ask(bed, "/x", { host: HOST, fields: [person.cookie(HOST), `Connection: close, ${name}`] });
      expect([name, answer.status]).toEqual([name, 400]);
    }
  });
});
