// What the mode of a file lets other users do with a secret in it (R-J4), and how to say the repair. Pure: whoever reads the
// file looks at its mode. Must not know files.

/** Who besides its owner may read a file with a secret. */
export type Readers =
  /** Nobody: files that our own programs write. */
  | "owner"
  /** The file's group, which is how an operator hands a file to a service that may not change it (root:sallyport, 0640). */
  | "group";

const GROUP_OR_OTHERS_WRITE = 0o022;
const GROUP_OR_OTHERS_READ = 0o044;
const OTHERS_READ = 0o004;

/** What is wrong with the permissions of a file that holds a secret, after "can be"; undefined when nothing is. */
export function exposureOf(mode: number, readers: Readers): "read or changed by other users" | "changed by other users" | undefined {
  const readable = (mode & (readers === "owner" ? GROUP_OR_OTHERS_READ : OTHERS_READ)) !== 0;
  const writable = (mode & GROUP_OR_OTHERS_WRITE) !== 0;
  if (readable) return "read or changed by other users";
  return writable ? "changed by other users" : undefined;
}

/** The command that takes the rights away. */
export function repairOf(path: string, readers: Readers): string {
  return `chmod ${readers === "owner" ? "600" : "g-w,o="} ${shellQuoted(path)}`;
}

/** Permission bits as people know them: `0640`. */
export function octalMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** For a POSIX shell (R-K10): the command is meant to be copied. */
export function shellQuoted(text: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
