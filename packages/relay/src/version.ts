// The version of the relay, as `--version` and the tunnel's hello say it; checked against package.json by a test.

export const VERSION = "0.1.0";
