// A21: what an origin is told in the clear, its own password, and who does not pass because there is nothing to tell (R-C6).

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratchFolder } from "../harness/scratch.ts";
import { type Bed, createBed } from "./support/bed.ts";
import { SignedIn, signedInOptions } from "./support/signed-in.ts";
import { expectDenied, expectForwarded } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const USERS = "users.example.test";
const EMAILS = "emails.example.test";
const PASSWORD = "password.example.test";
const BASIC = `Basic ${Buffer.from("door:päss:word").toString("base64")}`;

const stack = new AsyncDisposableStack();
const ann = new SignedIn({ subject: "ann", email: "ann@example.com", groups: ["eng"] }, USERS, EMAILS, PASSWORD);
const nameless = new SignedIn({ subject: "root@example.com", name: "root" }, USERS, EMAILS);
let bed: Bed;

beforeAll(async () => {
  const file = join(scratchFolder(stack), "password");
  writeFileSync(file, "päss:word\n", { mode: 0o600 });
  const originBasicAuth = { user: "door", password: { file } };
  const applications = [
    { name: "users", hostname: USERS, identityHeaders: { preset: "remote" } },
    { name: "emails", hostname: EMAILS, identityHeaders: { headers: { "X-Email": "email" } } },
    { name: "password", hostname: PASSWORD, originBasicAuth },
    { name: "public", hostname: "public.example.test", originBasicAuth, policies: ["public"] },
    { name: "door", hostname: "door.example.test", originBasicAuth, policies: ["programs"], serviceTokens: { basic: true } },
  ];
  bed = await createBed(stack, signedInOptions(stack, [ann, nameless], applications));
});
beforeEach(() => bed.open.reset());
afterAll(() => stack.disposeAsync());

test("A21: a preset names a person, and a service token by its name", async () => {
  const person = await expectForwarded(bed, write("/x", { host: USERS, fields: [ann.cookie(USERS)] }));
  expect(["remote-user", "remote-email", "remote-name", "remote-groups"].map((name) => person.values(name))).toEqual([
    ["ann@example.com"],
    ["ann@example.com"],
    [],
    ["eng"],
  ]);
  const program = await expectForwarded(bed, write("/x", { host: USERS, fields: bed.token.fields }));
  expect(["remote-user", "remote-email", "remote-groups"].map((name) => program.values(name))).toEqual([["robot"], [], []]);
});

test("R-C6: a person without a verified email is not let in as nobody, nor as what the provider calls the subject", async () => {
  for (const host of [USERS, EMAILS]) {
    const answer = await expectDenied(bed, write("/x", { host, fields: [nameless.cookie(host)] }), {
      status: 403,
      code: "ERR_ACCESS_DENIED",
    });
    expect(answer.body).toContain("verified email");
  }
});

test("R-C6: a service token is not let in where only an email could be said", async () => {
  await expectDenied(bed, write("/x", { host: EMAILS, fields: bed.token.fields }), { status: 403, code: "ERR_ACCESS_DENIED" });
});

test("A21: the origin gets its own password in place of whatever the visitor sent", async () => {
  for (const credential of [[ann.cookie(PASSWORD)], bed.token.fields, [`Authorization: Bearer ${ann.token(PASSWORD)}`]]) {
    const fields = [...credential, ...(credential[0]?.startsWith("Authorization") === true ? [] : ["Authorization: Basic Zm9yZ2VkOng="])];
    const request = await expectForwarded(bed, write("/x", { host: PASSWORD, fields }));
    expect(request.values("authorization")).toEqual([BASIC]);
  }
  const { clientId, secret } = bed.token;
  const own = [`Authorization: Basic ${Buffer.from(`${clientId}:${secret}`).toString("base64")}`];
  expect((await expectForwarded(bed, write("/x", { host: "door.example.test", fields: own }))).values("authorization")).toEqual([BASIC]);
});

test("A21: not for a visitor whom nobody knows", async () => {
  const request = await expectForwarded(bed, write("/x", { host: "public.example.test", fields: ["Authorization: Basic Zm9yZ2VkOng="] }));
  expect(request.values("authorization")).toEqual(["Basic Zm9yZ2VkOng="]);
});

test("R-J4: the password is in no log line and no answer", async () => {
  const spellings = ["päss:word", BASIC.slice("Basic ".length)];
  expect(bed.logLines.filter((line) => spellings.some((secret) => JSON.stringify(line).includes(secret)))).toEqual([]);
});
