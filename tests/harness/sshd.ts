// A real OpenSSH server on a free port of loopback, with keys of its own and one that may log in as the user who runs the
// tests. Must not know Sallyport.

import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { mustRun, Program } from "./program.ts";
import { eventually, freePort, scratchFolder } from "./scratch.ts";

export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** Private key of the user. */
  readonly identityFile: string;
  /** Public host key line without a host name. */
  readonly hostKey: string;
}

/** @param paths of sshd and ssh-keygen */
export async function startSshd(stack: AsyncDisposableStack, [sshd = "", keygen = ""]: readonly string[]): Promise<Sshd> {
  const folder = scratchFolder(stack, "sallyport-sshd");
  const port = await freePort();
  const file = (name: string): string => join(folder, name);
  for (const name of ["host", "user"]) await mustRun(keygen, ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
  const [hostKey, userKey] = await Promise.all(["host", "user"].map((name) => mustRun(keygen, ["-y", "-f", file(name)])));
  writeFileSync(file("authorized_keys"), userKey ?? "", { mode: 0o600 });
  chmodSync(folder, 0o700);
  const config = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${file("host")}`,
    `AuthorizedKeysFile ${file("authorized_keys")}`,
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "PermitRootLogin prohibit-password",
    "PidFile none",
    "Subsystem sftp internal-sftp",
  ];
  writeFileSync(file("sshd_config"), `${config.join("\n")}\n`);
  // Debian's sshd wants it for privilege separation when root starts it; systemd makes it otherwise.
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const program = stack.use(new Program({ name: "sshd", command: sshd, args: ["-D", "-e", "-f", file("sshd_config")] }));
  await eventually(() => answers(port), { what: "sshd to listen", context: () => program.tail() });
  return { port, user: userInfo().username, identityFile: file("user"), hostKey: (hostKey ?? "").trim() };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const settle = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once("data", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
