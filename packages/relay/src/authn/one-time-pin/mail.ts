// Delivery of PINs by SMTP. A few connections, bounded in time; mails beyond the queue are dropped rather than kept. Must
// not know whether the address may sign in.

import { domainToASCII } from "node:url";
import { createTransport, type SendMailOptions } from "nodemailer";
import type { SmtpConfig } from "../../config/types.ts";

export interface PinMail {
  readonly email: string;
  readonly pin: string;
  /** Where the code belongs, for people to compare. */
  readonly authUrl: string;
  /** Where the request came from. */
  readonly clientAddress: string;
}

/** Resolves when the mail server took the mail. Rejects with an error whose message names no secret. */
export type PinDelivery = (mail: PinMail) => Promise<void>;

const MAX_WAITING = 100;
const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000, dnsTimeout: 5_000 } as const;

export interface SmtpOptions {
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string;
}

export function smtpDelivery(smtp: SmtpConfig, options: SmtpOptions = {}): PinDelivery {
  const url = new URL(smtp.url.reveal());
  const secure = url.protocol === "smtps:";
  const transport = createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTLS: !secure && smtp.tls === "required" && !isLoopback(url.hostname),
    ...(url.username === "" ? {} : { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }),
    ...(options.ca === undefined ? {} : { tls: { ca: options.ca } }),
    ...TIMEOUTS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  let waiting = 0;
  return async (mail) => {
    if (waiting >= MAX_WAITING) throw new Error("too many mails wait for the mail server");
    waiting++;
    try {
      await transport.sendMail(pinMail(mail, smtp.from));
    } catch (error) {
      throw new Error(`the mail server did not take the mail: ${codeOf(error)}`);
    } finally {
      waiting--;
    }
  };
}

/** What makes an address that mail can go to and that no mail program reads as two: RFC 5322 dot-atoms, an ASCII domain. */
export function deliverableAddress(email: string): string | undefined {
  const at = email.lastIndexOf("@");
  const [localPart, domain] = [email.slice(0, at), domainToASCII(email.slice(at + 1))];
  const atoms = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
  return atoms.test(localPart) && /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(domain) ? `${localPart}@${domain}` : undefined;
}

function pinMail({ email, pin, authUrl, clientAddress }: PinMail, from: string): SendMailOptions {
  const host = new URL(authUrl).host;
  const text = `Your code to sign in at ${authUrl} is

    ${pin}

It works once, for 10 minutes, in the browser in which it was asked for (from the address ${clientAddress}).
Enter it at ${authUrl} only, and tell it to nobody: no one who helps you needs it.

If you did not ask for it, do nothing: without the code nobody gets in.
`;
  return {
    from,
    to: { name: "", address: email },
    subject: `Code to sign in at ${host}`,
    text,
    // RFC 3834: no answering machine answers.
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || /^127(?:\.\d{1,3}){3}$/.test(hostname) || hostname === "[::1]";
}

/** A mail server's own words may quote the login. */
function codeOf(error: unknown): string {
  const { code, responseCode } = error as { readonly code?: unknown; readonly responseCode?: unknown };
  return [code, responseCode].filter((part) => typeof part === "string" || typeof part === "number").join(" ") || "unknown fault";
}
