// The test projects: unit tests stand beside their source, the rest in tests/ by kind.
import { defineConfig } from "vitest/config";

// Workspace packages resolve to their TypeScript sources, so unit tests never run a stale build.
const conditions = ["sallyport-source", "node", "import", "module", "default"];
const resolve = { conditions };
const ssr = { resolve: { conditions, externalConditions: conditions } };

// These drive the built command lines: they are built first, and no child process outlives its worker.
const harness = { globalSetup: ["tests/harness/build.ts"], setupFiles: ["tests/harness/setup.ts"] };

export default defineConfig({
  test: {
    projects: [
      { resolve, ssr, test: { name: "unit", include: ["packages/*/src/**/*.test.ts"], testTimeout: 20_000 } },
      { resolve, ssr, test: { name: "house", include: ["tests/house/**/*.test.ts"] } },
      {
        resolve,
        ssr,
        test: {
          name: "conformance",
          include: ["tests/conformance/**/*.test.ts"],
          setupFiles: ["tests/harness/canary-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      // Built programs only, so no sources: with the conditions above, require("ws") inside socket.io would get an ES module.
      {
        test: {
          name: "e2e",
          include: ["tests/e2e/**/*.test.ts"],
          ...harness,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: "fault",
          include: ["tests/fault/**/*.test.ts"],
          ...harness,
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
