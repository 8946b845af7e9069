// Preloaded into a built program by a test: its wall clock is ahead by the milliseconds that a file holds. Timers and the
// monotonic clock run on, as when somebody sets a machine's clock.

import { readFileSync } from "node:fs";

const file = process.env.TEST_CLOCK_FILE;
const real = Date.now;

Date.now = () => real() + Number(readFileSync(file, "utf8"));
