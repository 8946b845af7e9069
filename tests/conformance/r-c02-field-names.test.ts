// R-C2: names that origins read differently are dropped, names that JavaScript reads differently do no harm.

import { expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { expectForwarded, expectRejected, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";

const bed = useBed();

test.each(["X_Custom", "x.custom", "_", ".", "X-Custom_Name", "a.b_c"])(
  "R-C2: %s is dropped, and kept where the application says so",
  async (name) => {
    expect((await expectForwarded(bed(), write("/x", { fields: [`${name}: mark`] }))).raw).not.toContain("mark");
    expect((await expectForwarded(bed(), write("/x", { host: "underscore.example.test", fields: [`${name}: mark`] }))).raw).toContain(
      `${name}: mark\r\n`,
    );
    expect((await http2Ask(bed(), [...pseudo("/x"), name.toLowerCase(), "mark"])).status).toBe(200);
    expect(bed().open.requests.at(-1)?.raw).not.toContain("mark");
  },
);

test.each(["__proto__", "constructor", "toString", "prototype", "hasOwnProperty", "__defineGetter__", "valueOf"])(
  "R-C2: %s as a name neither crashes nor pollutes",
  async (name) => {
    const fields = [`${name}: mark`, `${name}: twice`];
    for (const host of ["app.example.test", "underscore.example.test"]) {
      const request = await expectForwarded(bed(), write("/x", { host, fields }));
      const kept = host.startsWith("underscore") || !name.includes("_");
      expect(request.values(name.toLowerCase())).toEqual(kept ? ["mark", "twice"] : []);
    }
    expect((await http2Ask(bed(), [...pseudo("/x"), name.toLowerCase(), "mark"])).status).toBe(200);
    expect(({} as Record<string, unknown>)["mark"]).toBeUndefined();
  },
);

test.each(["X Y: a", "X(Y): a", 'X"Y: a', "X/Y: a", "X@Y: a", "X\x01Y: a", "X\xe9: a", ": a", "XY"])(
  "R-C2: the line %j is no field: rejected",
  async (line) => {
    await expectRejected(bed(), write("/x", { close: false, fields: [line] }), { status: 400 });
  },
);

test("R-C2: cookie crumbs of HTTP/2 are joined before any rule sees them", async () => {
  const crumbs = ["cookie", "a=1", "cookie", "__Host-Sallyport_Authorization=ours", "cookie", "b=2; c=3"];
  expect((await http2Ask(bed(), [...pseudo("/x"), ...crumbs])).status).toBe(200);
  expect(bed().open.requests.at(-1)?.values("cookie")).toEqual(["a=1; b=2; c=3"]);
});

test("R-C2: order, case and duplicates of ordinary fields are kept", async () => {
  const fields = ["X-A: 1", "x-b: 2", "X-a: 3", "Accept: a", "ACCEPT: b", "X-Empty: ", "X-Latin: caf\xe9"];
  const request = await expectForwarded(bed(), write("/x", { fields }));
  const received = request.fields.map(([name, value]) => `${name}: ${value}`);
  expect(received.filter((line) => fields.includes(line))).toEqual(fields);
});
