// smoke test of the bed, to be removed before commit of the suite, long enough head
import { afterAll, beforeAll, expect, test } from "vitest";
import { createBed, type Bed } from "./support/bed.ts";
import { expectForwarded, expectRejected, http2Ask, pseudo } from "./support/visit.ts";
import { write } from "./support/wire.ts";
const stack = new AsyncDisposableStack();
let bed: Bed;
beforeAll(async () => { bed = await createBed(stack); });
afterAll(() => stack.disposeAsync());
test("x", async () => {
  const r = await expectForwarded(bed, write("/hello"));
  console.log(r.raw);
  await expectRejected(bed, write("/a%zz", {close:false}), { status: 400 });
  console.log(await http2Ask(bed, [...pseudo("/h2"), "x_y", "1", "cookie", "a=1", "cookie", "b=2", "host", "app.relay.localhost"]));
  console.log(bed.open.requests.at(-1)?.raw, bed.verdicts);
});
