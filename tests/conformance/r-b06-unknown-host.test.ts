// R-B6: an unknown host gets one constant answer that repeats nothing of the request.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, expectRefusal } from "./support/visit.ts";

const bed = useBed();
const HOSTS = ["evil.example", "reflected-marker.example", "wild.example.test", "a.b.wild.example.test", "xn--reflected-marker.test"];
const ACCEPTS = ["text/html", "application/json", "*/*"];

test.each(ACCEPTS)(
  "R-B6: unknown hosts get the same answer for Accept: %s, without redirect, Location or their own name",
  async (accept) => {
    const answers = [];
    for (const host of HOSTS) {
      const response = await ask(bed(), "/reflected-marker?reflected-marker", {
        host,
        fields: [`Accept: ${accept}`, "X-Forwarded-Host: reflected-marker.example"],
      });
      expectRefusal(response, { status: 421, code: "ERR_HOST_UNKNOWN" });
      expect(JSON.stringify(response.fields) + response.body).not.toMatch(/reflected|evil\.example|wild/);
      expect(response.value("location")).toBeUndefined();
      const id = response.value("sallyport-request-id") ?? "";
      answers.push(response.body.replaceAll(id, "ID"));
    }
    expect(new Set(answers).size).toBe(1);
  },
);

test("R-B6: the constant answer does not tell known from unknown paths", async () => {
  const [root, reserved] = [
    await ask(bed(), "/", { host: "evil.example" }),
    await ask(bed(), "/.sallyport/tunnel", { host: "evil.example" }),
  ];
  expect([root.status, reserved.status]).toEqual([421, 421]);
});
