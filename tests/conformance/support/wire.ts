// What a visitor reads from the wire: the responses in a run of bytes, by the strict rules of RFC 9112, and requests
// written by hand. Must not know Sallyport.

export interface WireResponse {
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** True where the body was ended by what framed it, not by the end of the connection. */
  readonly complete: boolean;
  /** First value of a field, whatever the case of its name. */
  value(name: string): string | undefined;
  values(name: string): readonly string[];
}

/** Every response in `raw`, in order. @param methods of the requests, for HEAD; GET where there are fewer */
export function readResponses(raw: string, methods: readonly string[] = []): readonly WireResponse[] {
  const responses: WireResponse[] = [];
  let final = 0;
  for (let at = 0; at < raw.length;) {
    const end = raw.indexOf("\r\n\r\n", at);
    if (end < 0) throw new Error(`not a response: ${JSON.stringify(raw.slice(at))}`);
    const [line = "", ...lines] = raw.slice(at, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
    if (!(status >= 100)) throw new Error(`not a status line: ${JSON.stringify(line)}`);
    const fields = lines.map((text): readonly [string, string] => [
      text.slice(0, text.indexOf(":")),
      text.slice(text.indexOf(":") + 1).trim(),
    ]);
    const values = (name: string): string[] => fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
    const bare = status < 200 || status === 204 || status === 304 || methods[final] === "HEAD";
    const rest = raw.slice(end + 4);
    const body = bare ? { content: "", length: 0, complete: true } : readBody(rest, values);
    responses.push({ status, fields, body: body.content, complete: body.complete, values, value: (name) => values(name)[0] });
    if (status >= 200) final++;
    at = end + 4 + body.length;
    if (status === 101) break;
  }
  return responses;
}

interface Body {
  readonly content: string;
  readonly length: number;
  readonly complete: boolean;
}

function readBody(text: string, values: (name: string) => readonly string[]): Body {
  const declared = values("content-length")[0];
  if (values("transfer-encoding").length > 0) return readChunks(text);
  if (declared === undefined) return { content: text, length: text.length, complete: false };
  const length = Number(declared);
  return { content: text.slice(0, length), length: Math.min(length, text.length), complete: text.length >= length };
}

function readChunks(text: string): Body {
  let content = "";
  for (let at = 0; ;) {
    const lineEnd = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (lineEnd < 0 || !Number.isSafeInteger(size)) return { content, length: text.length, complete: false };
    if (size === 0) {
      // Trailers end with an empty line.
      const end = text.indexOf("\r\n\r\n", lineEnd - 2 < at ? at : lineEnd);
      return end < 0 ? { content, length: text.length, complete: false } : { content, length: end + 4, complete: true };
    }
    content += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

export interface Written {
  readonly method?: string;
  readonly host?: string;
  /** Field lines without CRLF. */
  readonly fields?: readonly string[];
  /** Written behind the head as it is; Content-Length is the caller's. */
  readonly body?: string;
  /** Default true: `Connection: close`, so that the end of the connection is the end of the answer. */
  readonly close?: boolean;
  readonly version?: string;
}

/** The bytes of one HTTP/1.1 request; nothing is checked or corrected. */
export function write(target: string, options: Written = {}): string {
  const { method = "GET", host = "app.example.test", fields = [], body = "", close = true, version = "1.1" } = options;
  const lines = [`${method} ${target} HTTP/${version}`, `Host: ${host}`, ...(close ? ["Connection: close"] : []), ...fields];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
