// R-H8: what lies below /.sallyport/ on an application's host is the relay's, in every spelling that any server could take
// for it; the origin never hears of it.

import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask, expectSilence, http2Ask, mark, pseudo } from "./support/visit.ts";

const bed = useBed();

const SPELLINGS = [
  "/.sallyport/anything",
  "/.sallyport",
  "/.sallyport/",
  "/%2esallyport/anything",
  "/%2Esallyport/anything",
  "/.%73allyport/anything",
  "/.sallyport%2fanything",
  "/.sallyport%2Fanything",
  "/%2e%73%61%6c%6c%79%70%6f%72%74/anything",
  "//.sallyport/anything",
  "///.sallyport//anything",
  "/x/../.sallyport/anything",
  "/x/%2e%2e/.sallyport/anything",
  "/x/..%2f.sallyport/anything",
  "/.sallyport;x/anything",
  "/;x/.sallyport/anything",
  "/.sallyport%3bx/anything",
  "/.sallyport\\anything",
  "/\\.sallyport/anything",
  "/.sallyport%5canything",
  "/%252esallyport/anything",
  "/.sallyport%252fanything",
  "/./.sallyport/anything",
];

describe("R-H8: the reserved prefix", () => {
  test.each(SPELLINGS)("%s is answered by the relay: a page of its own, refused or rejected", async (path) => {
    const before = mark(bed());
    for (const target of [path, `${path}?x=/`]) {
      const answer = await ask(bed(), target);
      expect([400, 403, 404]).toContain(answer.status);
      expect(answer.value("sallyport-error")).toMatch(/^ERR_/);
      expect(answer.value("cache-control")).toBe("no-store");
      expect(answer.value("access-control-allow-origin")).toBeUndefined();
      expect(await http2Ask(bed(), pseudo(target)).then(({ status }) => status)).not.toBe(200);
    }
    await expectSilence(bed(), before);
  });

  test("its only public document is the key set, which any page may read", async () => {
    const keys = await ask(bed(), "/.sallyport/certs", { fields: ["Origin: https://evil.example"] });
    expect([keys.status, keys.value("access-control-allow-origin")]).toEqual([200, "*"]);
    expect(keys.body).not.toContain('"d"');
    const identity = await ask(bed(), "/.sallyport/identity", { fields: ["Origin: https://evil.example"] });
    expect([identity.status, identity.value("access-control-allow-origin")]).toEqual([401, undefined]);
  });

  test.each(["/.sallyportx", "/x.sallyport/", "/.Sallyport/x", "/x/.sallyport/y"])("%s is the application's own", async (path) => {
    expect((await ask(bed(), path)).body).toBe("served");
  });
});
