// R-L11: metrics, health and administration are where the operator put them, and nowhere a visitor gets to.

import { statSync } from "node:fs";
import { join } from "node:path";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { useBed } from "./support/bed.ts";
import { ask } from "./support/visit.ts";

const bed = useBed();
const PATHS = ["/metrics", "/healthz", "/readyz", "/debug/pprof", "/admin.sock", "/.sallyport/metrics", "/.sallyport/admin", "/status"];

describe("R-L11: the public listener", () => {
  test.each(PATHS)("has no %s on the auth host, and none of the relay's on an application's", async (path) => {
    const own = await ask(bed(), path, { host: "auth.example.test" });
    expect(own.status).toBeGreaterThanOrEqual(400);
    expect(own.body).not.toMatch(/process_|nodejs_|sallyport_\w+ \d|"tunnels"/);
    const application = await ask(bed(), path);
    // The origin's own, or refused: never the relay's.
    expect([application.status === 200, application.body === "served"]).toEqual([
      application.body === "served",
      application.status === 200,
    ]);
  });

  test("an unknown host gets nothing there either", async () => {
    for (const path of PATHS) expect((await ask(bed(), path, { host: "127.0.0.1:9090" })).status).toBe(400);
  });
});

describe("R-L11: administration", () => {
  test("is a socket that only the relay's user can open", () => {
    expect(statSync(join(bed().folder, "state", "admin.sock")).mode & 0o777).toBe(0o600);
    expect(statSync(join(bed().folder, "state")).mode & 0o077).toBe(0);
  });

  test("does not take what a web page could make a browser send", async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const call = request(
        {
          socketPath: join(bed().folder, "state", "admin.sock"),
          path: "/session/list",
          method: "POST",
          headers: { "Content-Type": "text/plain", Origin: "https://evil.example" },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      );
      call.on("error", reject);
      call.end("{}");
    });
    expect(status).toBeGreaterThanOrEqual(400);
  });
});
