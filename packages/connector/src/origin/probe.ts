// Asks an origin once whether it is there, for the `check` command: connects (TCP, TLS, HTTP/2 by ALPN) and sends
// one GET. Any status counts as there. Must not know the tunnel.

import type { Clock } from "@sallyport/shared/clock";
import type { ResetCode } from "@sallyport/shared/protocol/codes";

import { dial } from "./dial.ts";
import { askOrigin } from "./health.ts";
import type { OriginOptions } from "./options.ts";
import type { Origin } from "./origin.ts";

export type ProbeResult =
  /** `status`: of a GET of "/"; undefined for a TCP service, which is only connected to. */
  | { readonly origin: string; readonly ok: true; readonly durationMs: number; readonly status: number | undefined }
  /** `text`: for example ECONNREFUSED or CERT_HAS_EXPIRED. */
  | { readonly origin: string; readonly ok: false; readonly code: ResetCode; readonly text: string };

export function probeOrigin(origin: Origin, options: OriginOptions, clock: Clock): Promise<ProbeResult> {
  const startedAtMs = clock.monotonic();
  const there = (status: number | undefined): ProbeResult => ({
    origin: origin.name,
    ok: true,
    durationMs: clock.monotonic() - startedAtMs,
    status,
  });
  return new Promise((resolve) => {
    const { address } = origin;
    if (address.kind === "tcp") {
      dial(
        { ...origin.dialOptions(address), protocol: "none" },
        {
          connected: (socket) => {
            socket.on("error", ignore).destroy();
            resolve(there(undefined));
          },
          failed: ({ code, text }) => resolve({ origin: origin.name, ok: false, code, text }),
        },
      );
      return;
    }
    const limits = { path: options.addPrefix ?? "/", timeoutMs: options.connectTimeoutMs + HEAD_WAIT_MS };
    askOrigin(origin, limits, options.hostHeader, clock, (answer) => {
      if (answer.kind === "head") resolve(there(answer.status));
      else resolve({ origin: origin.name, ok: false, code: answer.code, text: answer.text });
    });
  });
}

/** For the answer, after connecting: a probe is run by a person who waits. */
const HEAD_WAIT_MS = 5_000;

function ignore(): void {}
