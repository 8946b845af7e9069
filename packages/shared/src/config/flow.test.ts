import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { flow } from "./flow.ts";

test("a value on one line is the same value again", () => {
  const scalar = fc.oneof(fc.string({ unit: "binary" }), fc.boolean(), fc.integer(), fc.constant(null));
  const value = fc.oneof(
    scalar,
    fc.array(scalar, { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z][a-zA-Z]{0,9}x$/), scalar, { maxKeys: 4, noNullPrototype: true }),
  );
  fc.assert(fc.property(value, (one) => isDeepStrictEqual(parse(flow(one)), one)));
});

test("people see quotes only where they are needed", () => {
  expect(flow({ file: "tls.crt" })).toBe("{ file: tls.crt }");
  expect(flow([{ address: "0.0.0.0:443" }, "15s", "10.0.0.0/8", true, 5, []])).toBe(
    '[ { address: "0.0.0.0:443" }, 15s, 10.0.0.0/8, true, 5, [] ]',
  );
});
