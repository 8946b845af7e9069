import { describe, expect, test } from "vitest";
import { readFraming } from "./framing.ts";

const LENGTH = { kind: "refused", code: "ERR_FRAMING_CONTENT_LENGTH" };
const CODING = { kind: "refused", code: "ERR_FRAMING_TRANSFER_ENCODING" };

describe("R-D1: framing", () => {
  test("nothing, one length, or exactly chunked", () => {
    expect(readFraming(["Host", "a"], "1.1")).toEqual({ kind: "none" });
    expect(readFraming(["content-LENGTH", "0"], "1.0")).toEqual({ kind: "length", length: 0 });
    expect(readFraming(["Content-Length", "9007199254740991"], "2.0")).toEqual({ kind: "length", length: Number.MAX_SAFE_INTEGER });
    expect(readFraming(["Transfer-Encoding", "Chunked"], "1.1")).toEqual({ kind: "chunked" });
  });

  test.each(["", "+3", "-1", "3, 3", "3,3", "0x2", "1e3", "3 ", " 3", "\t3", "3.0", "9007199254740992", "99999999999999999", "\u0663"])(
    "Content-Length %j is refused",
    (value) => expect(readFraming(["Content-Length", value], "1.1")).toEqual(LENGTH),
  );

  test.each([
    ",chunked",
    "chunked,",
    "gzip, chunked",
    "identity",
    "chunked, identity",
    "chunked, chunked",
    "xchunked",
    "\tchunked",
    "\u000bchunked",
    "chunked ",
    "",
    "chunked;x",
  ])("Transfer-Encoding %j is refused", (value) => expect(readFraming(["Transfer-Encoding", value], "1.1")).toEqual(CODING));

  test("duplicates are refused even when they agree", () => {
    expect(readFraming(["Content-Length", "3", "content-length", "3"], "1.1")).toEqual(LENGTH);
    expect(readFraming(["Transfer-Encoding", "chunked", "transfer-encoding", "chunked"], "1.1")).toEqual(CODING);
  });

  test("both together are a conflict", () => {
    const conflict = { kind: "refused", code: "ERR_FRAMING_CONFLICT" };
    expect(readFraming(["Content-Length", "3", "Transfer-Encoding", "chunked"], "1.1")).toEqual(conflict);
    expect(readFraming(["Transfer-Encoding", "x", "Content-Length", "x"], "1.1")).toEqual(conflict);
  });

  test("there is no Transfer-Encoding on HTTP/1.0 and HTTP/2", () => {
    expect(readFraming(["Transfer-Encoding", "chunked"], "1.0")).toEqual(CODING);
    expect(readFraming(["transfer-encoding", "chunked"], "2.0")).toEqual(CODING);
  });
});
