// `sallyport access ssh-config`: the block that makes plain ssh go through the relay. Prints text that was checked letter by
// letter, since it ends up in a file that runs commands (R-K10).

import { resolve } from "node:path";
import { urlOrExplain } from "./access-setup.ts";
import { readAuthorities } from "./authorities.ts";
import { ExitCode } from "./exit-code.ts";
import type { Io } from "./io.ts";

export interface SshConfigOptions {
  readonly hostname: string;
  readonly ca?: string;
}

const HOSTNAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** What no shell and no ssh reads as anything else; `%` would be ssh's. */
const PLAIN_PATH = /^[A-Za-z0-9/._+@-]{1,1024}$/;

export function accessSshConfig({ hostname, ca }: SshConfigOptions, io: Io): ExitCode {
  const url = urlOrExplain(hostname, io);
  if (url === undefined) return ExitCode.USAGE;
  if (!HOSTNAME.test(url.hostname)) {
    io.err("error[ERR_USAGE]: not a host name");
    return ExitCode.USAGE;
  }
  const authorities = ca === undefined ? undefined : resolve(ca);
  if (authorities !== undefined && (!PLAIN_PATH.test(authorities) || readAuthorities(authorities, io) === "unusable")) {
    if (!PLAIN_PATH.test(authorities))
      io.err("error[ERR_USAGE]: the path given with --ca has characters that a shell reads\n   = move the file");
    return ExitCode.USAGE;
  }
  const target = url.protocol === "https:" ? (url.port === "" ? "%h" : `%h:${url.port}`) : url.origin;
  io.out(
    `Host ${url.hostname}\n  ProxyCommand sallyport access tcp --hostname ${target}${authorities === undefined ? "" : ` --ca ${authorities}`}`,
  );
  return ExitCode.OK;
}
