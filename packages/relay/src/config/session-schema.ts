// Section sessions of relay.yaml, and what an application says about browsers: how long logins count, and which other
// sites may use them.

import { formatAuthority } from "@sallyport/shared/http/authority";
import { z } from "zod";
import type { CorsConfig, SessionsConfig } from "./types.ts";
import { duration, publicOrigin } from "./values.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** 15 minutes to 30 days (A5). */
export const sessionDuration: z.ZodType<number, string> = duration(15 * MINUTE_MS, 30 * DAY_MS);
export const idleTimeout: z.ZodType<number, string> = duration(5 * MINUTE_MS, 30 * DAY_MS);

export const sessionsSchema: z.ZodType<SessionsConfig> = z
  .strictObject({
    duration: sessionDuration
      .prefault("24h")
      .meta({ description: "How long a login counts, used or not. An application or an allow policy may set its own." }),
    idleTimeout: idleTimeout
      .optional()
      .meta({ description: "A login that was not used for this long is over. Default: no such limit.", examples: ["2h"] }),
    claimsMaxAge: duration(MINUTE_MS, DAY_MS).prefault("1h").meta({
      description:
        "How old the provider's last word about a person may be, with providers that can be asked again. It is asked every 10 minutes; while it cannot be reached, its last word counts this long.",
    }),
  })
  .transform((sessions) => ({ durationMs: sessions.duration, idleTimeoutMs: sessions.idleTimeout, claimsMaxAgeMs: sessions.claimsMaxAge }))
  .prefault({})
  .meta({ description: "People's logins." });

/** `https://app.example.com[:port]`, as browsers write it in Origin (RFC 6454 section 6.2). */
export const webOrigin: z.ZodType<string, string> = publicOrigin.transform(
  ({ scheme, hostname, port }) => `${scheme}://${formatAuthority(hostname, port, scheme)}`,
);

const FIELD_NAME = /^[A-Za-z][A-Za-z0-9-]{0,63}$/;
const METHOD = /^[A-Z]{3,20}$/;

export const corsSchema: z.ZodType<CorsConfig> = z
  .strictObject({
    preflight: z.enum(["answer", "forward"]).default("answer").meta({
      description:
        "Who answers preflight requests: `answer`, the relay, by the lists here; `forward`, the origin, which gets them without any identity.",
    }),
    methods: z
      .array(z.string().regex(METHOD, "is not a method in upper case"))
      .min(1)
      .max(30)
      .prefault(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
      .meta({ description: "Methods that other origins may use." }),
    headers: z
      .array(z.string().regex(FIELD_NAME, "is not a header name"))
      .max(50)
      .prefault(["Accept", "Authorization", "Content-Type"])
      .meta({ description: "Request headers that other origins may send." }),
    maxAge: duration(0, DAY_MS).prefault("10m").meta({ description: "How long browsers may remember the answer." }),
  })
  .transform(({ preflight, methods, headers, maxAge }) => ({ preflight, methods, headers, maxAgeMs: maxAge }));
