// Nothing in the tree gives away a machine, a person or a secret, and nothing binds an installation to one
// package registry. Reads every text file that would be committed.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { read, root } from "./tree.ts";

const BINARY = /\.(?:png|jpg|ico|woff2?|mmdb|pdf|gz|zip)$/;
// This file holds the patterns themselves.
const SELF = "tests/house/hygiene.test.ts";

/** Tracked files and new ones that are not ignored. */
function committable(): readonly string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  return listed.split("\0").filter((file) => file !== "" && file !== SELF && !BINARY.test(file));
}

interface Hygiene {
  readonly what: string;
  readonly pattern: RegExp;
  readonly why: string;
  readonly except?: RegExp;
}

const RULES: readonly Hygiene[] = [
  {
    what: "private keys",
    pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}/,
    why: "make keys when the test runs: one that is committed gets used for real some day",
  },
  {
    what: "tokens of known services",
    pattern: /\b(?:ghp_|gho_|github_pat_|xox[abp]-|AKIA|glpat-)[A-Za-z0-9_-]{16,}|\bnpm_[A-Za-z0-9]{36}\b/,
    why: "a committed token is a leaked token",
  },
  {
    what: "paths of a developer's machine",
    pattern: /(?<![\w.:/])\/(?:home|Users|root|work)\/[a-z][\w.-]*/,
    why: "a path that exists on one machine only is a bug on all others",
    // Examples of systemd units and container files name homes of service users.
    except: /^docs\/.*\.md$|^deploy\//,
  },
  {
    what: "hosts of a package registry",
    pattern: /registry\.(?:npmjs|yarnpkg|npmmirror)\.|npm\.pkg\.github|\/artifactory\/|verdaccio/,
    why: "the registry is the choice of who installs: the lock file and the settings name none",
  },
  {
    what: "download addresses in the lock file",
    pattern: /^\s*(?:resolved|tarball): /m,
    why: "an address in the lock file binds everybody to one registry; integrity hashes are enough",
    except: /^(?!pnpm-lock\.yaml$)/,
  },
];

test.each(RULES)("there are no $what", ({ pattern, why, except }) => {
  const found = committable()
    .filter((file) => except?.test(file) !== true)
    .flatMap((file) => {
      const hit = pattern.exec(readIfThere(file));
      return hit === null ? [] : [`${file}: ${hit[0].trim().slice(0, 40)}`];
    });
  expect(found, `${why}\n`).toEqual([]);
});

test("each pattern finds what it is there for", () => {
  const samples = [
    `-----BEGIN PRIVATE KEY-----\n${"A".repeat(64)}`,
    `token: ghp_${"a1".repeat(12)}`,
    'const cert = "/home/somebody/tls.crt"',
    "https://registry.npmjs.org/ws",
    "  tarball: https://somewhere/ws.tgz",
  ];
  expect(RULES.map(({ pattern }, index) => pattern.test(samples[index] ?? ""))).toEqual(RULES.map(() => true));
});

/** A file that was deleted but not yet committed is listed by git, and empty here. */
function readIfThere(file: string): string {
  try {
    return read(file);
  } catch {
    return "";
  }
}
