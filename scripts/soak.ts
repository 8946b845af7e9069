// `pnpm soak [--minutes N]`: the soak run of tests/fault/soak.test.ts for longer than a test run has time for. Default 15 minutes.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { root } from "./lib/run.ts";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "15" } } });
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= 10_080)) {
  process.stderr.write("--minutes wants a number of minutes, up to a week\n");
  process.exit(2);
}
const { status } = spawnSync("vitest", ["run", "--project", "fault", "tests/fault/soak.test.ts"], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, SOAK_SECONDS: String(Math.round(minutes * 60)) },
});
process.exitCode = status ?? 1;
