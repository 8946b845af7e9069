// `sallyport access ssh-config`: the block that makes plain ssh go through the relay. Prints text that was checked letter by
// letter, since it ends up in a file that runs commands (R-K10).

import { urlOrExplain } from "./access-setup.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export interface SshConfigOptions {
  readonly hostname: string;
}

const HOSTNAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

export function accessSshConfig({ hostname }: SshConfigOptions, io: Io): ExitCode {
  const url = urlOrExplain(hostname, io);
  if (url === undefined) return ExitCode.USAGE;
  if (!HOSTNAME.test(url.hostname)) {
    io.err("error[ERR_USAGE]: not a host name");
    return ExitCode.USAGE;
  }
  const target = url.protocol === "https:" ? (url.port === "" ? "%h" : `%h:${url.port}`) : url.origin;
  io.out(`Host ${url.hostname}\n  ProxyCommand sallyport access tcp --hostname ${target}`);
  return ExitCode.OK;
}
