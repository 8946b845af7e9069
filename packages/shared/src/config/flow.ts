// A value on one line of YAML, for examples in messages and tables.

/** `{ file: tls.crt }`, `[ 10.0.0.0/8 ]`, `"0.0.0.0:443"`. */
export function flow(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `[ ${value.map(flow).join(", ")} ]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, inner]) => `${key}: ${flow(inner)}`);
    return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
  }
  return typeof value === "string" ? text(value) : String(value);
}

/** Quoted where YAML, or a reader, could take the plain text for something else. */
function text(value: string): string {
  const plain =
    /^[A-Za-z0-9./][\w./:@*-]*$/.test(value) &&
    !/^[\d.]+$/.test(value) &&
    !/:\d+$/.test(value) &&
    !/^(?:true|false|null|yes|no|on|off)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}
