// `sallyport access token URL`: prints the kept token. Renews nothing and asks nobody.

import { tokenOrExplain, urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export function accessToken(text: string, io: Io): ExitCode {
  const url = urlOrExplain(text, io);
  if (url === undefined) return ExitCode.USAGE;
  const token = tokenOrExplain(url, io);
  if (token === undefined) return ExitCode.FAILED;
  io.out(token.token);
  return ExitCode.OK;
}
