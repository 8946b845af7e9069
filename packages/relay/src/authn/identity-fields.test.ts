import { isFieldValue } from "@sallyport/shared/http/grammar";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IdentityHeaders, MAX_IDENTITY_VALUE_BYTES } from "./identity-fields.ts";
import type { IdentityValue } from "../config/types.ts";
import type { Identity, PersonIdentity, ServiceIdentity } from "./identity.ts";

const ann: PersonIdentity = {
  kind: "person",
  provider: "corp",
  subject: "42",
  email: "ann@example.com",
  name: "Ann Lee",
  groups: ["eng", "ops"],
  authMethods: undefined,
  claims: {},
  sessionId: "s",
};
const robot: ServiceIdentity = { kind: "service", tokenId: "st_1", name: "robot" };

function fieldsOf(identity: Identity, ...values: readonly IdentityValue[]): readonly string[] | "incomplete" {
  return new IdentityHeaders(values.map((value) => ({ name: `X-${value}`, value }))).fieldsOf(identity);
}

test("a person's claims go into the headers that were asked for, in their order", () => {
  expect(fieldsOf(ann, "user", "email", "name", "subject", "provider", "groups", "serviceToken")).toEqual([
    "X-user",
    "ann@example.com",
    "X-email",
    "ann@example.com",
    "X-name",
    "Ann Lee",
    "X-subject",
    "42",
    "X-provider",
    "corp",
    "X-groups",
    "eng,ops",
  ]);
});

test("a service token has a name and an id, and nothing of a person", () => {
  expect(fieldsOf(robot, "user", "email", "groups", "subject", "serviceToken")).toEqual([
    "X-user",
    "robot",
    "X-subject",
    "st_1",
    "X-serviceToken",
    "robot",
  ]);
});

describe("R-C6: nobody passes as nobody", () => {
  test.each<[string, Identity, IdentityValue[]]>([
    ["a person without a verified email where the user is to be named", { ...ann, email: undefined }, ["user", "subject"]],
    ["a person without a verified email where the email is to be said", { ...ann, email: undefined }, ["email", "subject"]],
    ["a service token where only emails are said", robot, ["email"]],
    ["a person where only the service token is said", ann, ["serviceToken"]],
    ["groups that do not fit", { ...ann, groups: Array.from({ length: 500 }, (_, at) => `group-number-${at}`) }, ["user", "groups"]],
  ])("%s", (_name, identity, values) => expect(fieldsOf(identity, ...values)).toBe("incomplete"));

  test("while a name or groups may be missing", () => {
    expect(fieldsOf({ ...ann, name: undefined, groups: undefined }, "user", "name", "groups")).toEqual(["X-user", "ann@example.com"]);
    expect(fieldsOf({ ...ann, groups: [] }, "user", "groups")).toEqual(["X-user", "ann@example.com"]);
  });
});

describe("R-C9: values", () => {
  test.each([
    ["Jürgen", "J%C3%BCrgen"],
    ["a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1"],
    ["nul\0", "nul%00"],
    ["100%41", "100%2541"],
    [" padded ", "%20padded%20"],
    ["\u{1f511}", "%F0%9F%94%91"],
  ])("%j becomes %j", (name, written) => expect(fieldsOf({ ...ann, name }, "name")).toEqual(["X-name", written]));

  test("a group that holds the separator stays one group", () => {
    expect(fieldsOf({ ...ann, groups: ["a,admins", "b"] }, "groups")).toEqual(["X-groups", "a%2Cadmins,b"]);
  });

  test("whatever groups are called, the field is valid and reads back as the same list", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 8 }), (groups) => {
        const fields = fieldsOf({ ...ann, groups }, "groups");
        if (fields === "incomplete") throw new Error("too long");
        const value = fields[1] as string;
        expect(isFieldValue(value)).toBe(true);
        expect(value).toBe(value.trim());
        expect(value.split(",").map(decodeURIComponent)).toEqual(groups);
      }),
    );
  });
});

test("the fields are written once per identity object", () => {
  const headers = new IdentityHeaders([{ name: "Remote-User", value: "user" }]);
  expect(headers.fieldsOf(ann)).toBe(headers.fieldsOf(ann));
  expect(headers.fieldsOf({ ...ann, email: "bob@example.com" })).toEqual(["Remote-User", "bob@example.com"]);
  expect([...headers.names]).toEqual(["remote-user"]);
  expect(MAX_IDENTITY_VALUE_BYTES).toBe(4_096);
});
