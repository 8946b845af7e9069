// HTTP fields (headers, trailers) as they travel through the whole data path: one flat array
// [name, value, name, value, ...] in wire order, original case, duplicates kept, latin1 text
// (one character per byte). It is the shape of node:http's rawHeaders, so nothing is converted on the way.

/** Flat list of field lines; even length. */
export type Fields = readonly string[];

export const NO_FIELDS: Fields = Object.freeze([]);

/** First value of a field; `lowerName` must be lower-case. Undefined when absent. */
export function firstValue(fields: Fields, lowerName: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return fields[i + 1];
  }
  return undefined;
}

/** All values of a field in order; `lowerName` must be lower-case. */
export function allValues(fields: Fields, lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) values.push(fields[i + 1] as string);
  }
  return values;
}
