// A copy of the checkout in which guards are switched off: sources are copied, installed packages are shared. The working
// tree is never touched.

import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface Scratch extends Disposable {
  readonly root: string;
}

/** @param from root of the checkout to copy: tracked files and new ones, as they are on disk */
export function createScratch(from: string): Scratch {
  const root = mkdtempSync(join(tmpdir(), "sallyport-mutants-"));
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: from, encoding: "utf8" });
  for (const file of listed.split("\0")) {
    if (file === "" || !existsSync(join(from, file)) || lstatSync(join(from, file)).isSymbolicLink()) continue;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    copyFileSync(join(from, file), join(root, file));
  }
  // Programs that some cases start: as they are, compiled again for the mutants that say so.
  for (const name of ["shared", "relay", "connector"]) {
    const built = join("packages", name, "dist");
    if (existsSync(join(from, built))) cpSync(join(from, built), join(root, built), { recursive: true });
  }
  linkPackages(from, root);
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  // Also when somebody ends the run in the middle.
  process.once("exit", remove);
  return { root, [Symbol.dispose]: remove };
}

/** What is installed from elsewhere is shared; what is a workspace package must lead into the copy. */
function linkPackages(from: string, root: string): void {
  mkdirSync(join(root, "node_modules"));
  for (const entry of readdirSync(join(from, "node_modules"))) {
    symlinkSync(join(from, "node_modules", entry), join(root, "node_modules", entry));
  }
  for (const workspace of ["packages/shared", "packages/relay", "packages/connector", "tests", "bench"]) {
    const folder = join(workspace, "node_modules");
    if (!existsSync(join(from, folder))) continue;
    // pnpm's links are relative: copied as they are, those to workspace packages stay inside the copy.
    cpSync(join(from, folder), join(root, folder), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !source.includes(".vite"),
    });
  }
  const shared = join(root, "packages", "relay", "node_modules", "@sallyport", "shared");
  if (readlinkSync(shared).startsWith("/")) throw new Error(`${shared} is no relative link: the copy would test the original`);
}
