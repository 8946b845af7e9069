// Runs in every worker of the end-to-end and fault tests: whatever ends the worker ends the programs it started.

import "./canary-setup.ts";
import { killAllOnSignals } from "./program.ts";

killAllOnSignals();
