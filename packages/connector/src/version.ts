// The version of this program. A constant, because a single-file executable has no package.json to read; a test keeps
// the two equal.

export const VERSION = "0.1.0";
/** As sent to the relay in User-Agent and HELLO. */
export const SOFTWARE: string = `sallyport/${VERSION}`;
