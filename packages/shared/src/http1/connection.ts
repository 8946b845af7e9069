// What a Connection field says about the connection itself (RFC 9112 sections 9.3 and 9.6, RFC 9110 section 7.8).
// Must not know the other fields of the message.

import { trimOws } from "../http/grammar.ts";

export interface ConnectionReading {
  /** The connection may carry another message. */
  readonly keepAlive: boolean;
  readonly namesUpgrade: boolean;
}

const PERSISTENT: ConnectionReading = Object.freeze({ keepAlive: true, namesUpgrade: false });
const CLOSING: ConnectionReading = Object.freeze({ keepAlive: false, namesUpgrade: false });

/** @param value all Connection fields joined with a comma; undefined without one */
export function readConnection(httpVersion: "1.0" | "1.1", value: string | undefined): ConnectionReading {
  if (value === undefined) return httpVersion === "1.1" ? PERSISTENT : CLOSING;
  if (value === "keep-alive") return PERSISTENT;
  if (value === "close") return CLOSING;
  const options = value.split(",").map((option) => trimOws(option).toLowerCase());
  const keepAlive = !options.includes("close") && (httpVersion === "1.1" || options.includes("keep-alive"));
  return { keepAlive, namesUpgrade: options.includes("upgrade") };
}
