import fc from "fast-check";
import { expect, test } from "vitest";
import { isReservedCookie, readCookie, withoutReservedCookies } from "./cookies.ts";

const NAME = "__Host-Sallyport_Session";

test.each([
  [[], { kind: "absent" }],
  [["Cookie", ""], { kind: "absent" }],
  [["Cookie", `${NAME}=v`], { kind: "value", value: "v" }],
  [["cookie", `a=b; ${NAME}=v=w; c=d`], { kind: "value", value: "v=w" }],
  [["COOKIE", `a=b;${NAME} = v ;c`], { kind: "value", value: "v" }],
  [["Cookie", `${NAME}=`], { kind: "value", value: "" }],
  [["Cookie", `a=${NAME}=v`], { kind: "absent" }],
  [["Cookie", `x${NAME}=v; ${NAME}2=w; ${NAME.toLowerCase()}=u`], { kind: "absent" }],
  [["Cookie", NAME], { kind: "absent" }],
  [["Set-Cookie", `${NAME}=v`], { kind: "absent" }],
  [["Cookie", `${NAME}=v; ${NAME}=v`], { kind: "value", value: "v" }],
  [["Cookie", `${NAME}=v; ${NAME}=w`], { kind: "conflict" }],
  [["Cookie", `${NAME}=v`, "cookie", `${NAME}=`], { kind: "conflict" }],
  [["cookie", "a=b", "cookie", `${NAME}=v`], { kind: "value", value: "v" }],
])("R-C7, R-H3: from %j the session cookie reads as %j", (fields, reading) =>
  expect(readCookie(fields as string[], NAME)).toEqual(reading),
);

test.each([
  ["a=1; b=2", "a=1; b=2"],
  [`a=1; ${NAME}=x; b=2`, "a=1; b=2"],
  [`${NAME}=x; a=1;b="2;c=é`, 'a=1;b="2;c=é'],
  [`a=1;  b = 2 ;${NAME}=x`, "a=1;  b = 2"],
  [`${NAME}=x; ${NAME}=y`, ""],
  ["Sallyport_Authorization=x", ""],
  ["__Secure-Sallyport_X=1; __host-sallyport_login=2; SALLYPORT_A=3; =Sallyport_B=4", ""],
  ["CF_Authorization=x; CF_AppSession=y; CF_Authorization2=z", "CF_AppSession=y; CF_Authorization2=z"],
  ["sallyport=1; my_Sallyport_x=2; s=Sallyport_y", "sallyport=1; my_Sallyport_x=2; s=Sallyport_y"],
  // Origins that strip names as Unicode text find ours behind these, too; found by `pnpm fuzz`.
  ["a=b;\xa0sallyport_x=1", "a=b"],
  ["\x85__Host-Sallyport_Session=1; c=d", "c=d"],
  ["CF_Authorization\xa0=x; c=d", "c=d"],
])("R-C7: of the cookies %j the origin gets %j", (value, forwarded) => expect(withoutReservedCookies(value)).toBe(forwarded));

test("R-C8: an origin cannot set a reserved cookie, not even behind an empty name", () => {
  for (const line of [`${NAME}=x; Path=/`, `  ${NAME}=x`, `=${NAME}=x`, "sallyport_session=x", "CF_Authorization=x"])
    expect(isReservedCookie(line)).toBe(true);
  for (const line of ["session=Sallyport_x", "Sallyport-x=1", "", "="]) expect(isReservedCookie(line)).toBe(false);
});

test("R-C7: a cookie that was left out is not found, and every other pair is found unchanged", () => {
  const pair = fc.constantFrom(`${NAME}=1`, "a=1", " b=2 ", "Sallyport_x=3", "c", "=d", 'e="f"', "");
  const property = fc.property(fc.array(pair, { maxLength: 8 }), (pairs) => {
    const kept = withoutReservedCookies(pairs.join(";"));
    const own = pairs.filter((text) => !text.includes("Sallyport_")).join(";");
    expect(kept).toBe(own.length === pairs.join(";").length ? own : own.trim());
  });
  fc.assert(property);
});
