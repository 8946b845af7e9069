// Fuzz targets of what a request names: its path in all readings, its host, its cookies, and who is behind a proxy (R-A, R-B,
// R-C7, R-H3). Reading what was read changes nothing any more.

import { isIP } from "node:net";
import { formatAuthority, readAuthority } from "@sallyport/shared/http/authority";
import { readCookie, withoutReservedCookies } from "@sallyport/shared/http/cookies";
import { isForwardablePath, MAX_TARGET_BYTES, readTarget } from "@sallyport/shared/http/path";
import { MAX_READINGS } from "@sallyport/shared/http/path-readings";
import { parseProxyHeader } from "@sallyport/relay/ingress/proxy-protocol";
import { TARGETS } from "../conformance/support/corpus/targets.ts";
import { holdsControl, latin1, promise, same, type FuzzTarget } from "./target.ts";

const paths: FuzzTarget = {
  name: "path",
  seeds: () => latin1(...TARGETS.map(({ template }) => template.split(" ")[1] ?? "/").filter((target) => target.length < 2_000)),
  words: ["/", "..", ".", "%2e", "%2F", "%5c", "\\", "//", ";", "%3b", "%25", "%252e", "%00", "?", "#", "admin", ".sallyport", "https://a"],
  run(input) {
    const target = input.toString("latin1");
    const read = readTarget(target);
    if (read.kind === "refused") return read.code;
    if (read.kind === "asterisk") return "asterisk";
    const path = read.kind === "absolute" ? read.origin : read;
    promise(target.length <= MAX_TARGET_BYTES && isForwardablePath(path.path), "what cannot be written was accepted", path.path);
    promise(path.path === path.pathname + path.query, "path and query do not make the whole");
    promise(!/\/(?:\.|%2e){1,2}(?:\/|$)/i.test(path.pathname), "a dot segment would be forwarded", path.pathname);
    promise(path.readings.length >= 1 && path.readings.length <= MAX_READINGS, "too many readings", path.readings.length);
    for (const reading of path.readings) {
      promise(reading.startsWith("/") && !holdsControl(reading), "an odd reading", reading);
      promise(!/\/\.{1,2}(?:\/|$)/.test(reading), "a dot segment in a reading", reading);
    }
    const again = readTarget(path.path);
    promise(again.kind === "path" && again.path === path.path, "the forwarded path is another one when it is read", path.path);
    promise(
      again.readings.every((reading) => path.readings.includes(reading)),
      "the forwarded path has readings of its own",
      path.path,
    );
    return `${read.kind} ${Math.min(path.readings.length, 8)} ${path.query !== ""}`;
  },
};

const hosts: FuzzTarget = {
  name: "host",
  seeds: () =>
    latin1(
      "app.example.test",
      "APP.example.test.:443",
      "a:80",
      "[::1]:443",
      "127.0.0.1",
      "xn--bcher-kva.example",
      "a_b.c",
      `${"a".repeat(63)}.test`,
    ),
  words: [".", ":", "-", "_", "[", "]", "::", "%", "@", "xn--", "0x7f", "443", "localhost", " ", ","],
  run(input, pick) {
    const raw = input.toString("latin1");
    const allowIp = pick.below(2) === 0;
    const read = readAuthority(raw, { scheme: "https", allowIp });
    if (!read.ok) return read.code;
    const { hostname, port } = read;
    promise(port >= 1 && port <= 65_535, "an odd port", port);
    promise(
      hostname.length <= 253 && (allowIp ? /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])$/ : /^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/).test(hostname),
      "an odd hostname",
      hostname,
    );
    promise(
      new URL(`https://${formatAuthority(hostname, port, "https")}/`).hostname === hostname,
      "a URL parser reads another host",
      hostname,
    );
    same("read again, another one", read, readAuthority(formatAuthority(hostname, port, "https"), { scheme: "https", allowIp }));
    return `host ${hostname.startsWith("[")} ${port === 443}`;
  },
};

const cookies: FuzzTarget = {
  name: "cookies",
  seeds: () =>
    latin1(
      "a=b; c=d",
      "__Host-Sallyport_Authorization=x; a=b",
      'a="b; c"; sallyport_x=1',
      "CF_Authorization=x",
      "a; =b;;c",
      "__Host-Sallyport_Session = y\t; z",
    ),
  words: [
    "; ",
    ";",
    "=",
    " ",
    "\t",
    '"',
    "__Host-",
    "__Secure-",
    "Sallyport_",
    "sallyport_",
    "CF_Authorization",
    "__host-sallyport_login=1",
  ],
  run(input) {
    const value = input.toString("latin1");
    const kept = withoutReservedCookies(value);
    promise(kept === withoutReservedCookies(kept), "taken away in two steps", kept);
    for (const pair of kept.split(";"))
      promise(
        !/^[ \t\x85\xa0=]*(?:(?:__(?:host|secure)-)?sallyport_|cf_authorization[ \t\x85\xa0]*(?:=|$))/i.test(pair),
        "one of ours was left",
        pair,
      );
    const given = new Set(value.split(";").map((pair) => pair.trim()));
    promise(
      kept.split(";").every((pair) => kept === "" || given.has(pair.trim())),
      "something was added",
      kept,
    );
    const read = readCookie(["Cookie", value], "__Host-Sallyport_Authorization");
    if (read.kind === "value") promise(value.includes(read.value), "a value that is not there", read.value);
    return `${read.kind} ${kept === value} ${kept === ""}`;
  },
};

const V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const proxyProtocol: FuzzTarget = {
  name: "proxy-protocol",
  seeds: () => [
    ...latin1(
      "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
      "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n",
      "PROXY UNKNOWN\r\n",
      "PROXY UNKNOWN x y z\r\nGET",
    ),
    Buffer.concat([V2, Buffer.of(0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 1, 1, 2, 1, 187)]),
    Buffer.concat([V2, Buffer.of(0x20, 0, 0, 0)]),
    Buffer.concat([V2, Buffer.of(0x21, 0x21, 0, 36), Buffer.alloc(36, 1)]),
    Buffer.concat([V2, Buffer.of(0x21, 0x11, 0, 15), Buffer.alloc(12, 9), Buffer.of(3, 0, 0)]),
  ],
  words: ["PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "\r\n", " ", "0", "::ffff:1.2.3.4", "010.0.0.1", V2.toString("latin1")],
  run(input) {
    const read = parseProxyHeader(input);
    if (read.kind !== "header") return read.kind;
    promise(read.bytes > 0 && read.bytes <= input.length, "longer than what there was", read.bytes);
    promise(
      read.peer === undefined || (isIP(read.peer.address) !== 0 && read.peer.port >= 0 && read.peer.port <= 65_535),
      "an odd peer",
      read.peer,
    );
    for (let length = Math.max(0, read.bytes - 40); length < read.bytes; length++) {
      promise(parseProxyHeader(input.subarray(0, length)).kind === "more", "complete before its end", length);
    }
    same("what follows changed it", read, parseProxyHeader(Buffer.concat([input.subarray(0, read.bytes), Buffer.from("GET")])));
    return `header ${read.peer === undefined ? 0 : isIP(read.peer.address)}`;
  },
};

export const NAME_TARGETS: readonly FuzzTarget[] = [paths, hosts, cookies, proxyProtocol];
