// docs/install.md and docs/upgrade.md, followed by an operator: every command in order, on one relay and one connector that
// live through all of it. The file system is a folder, `systemctl` starts what the unit files say, and what would change
// this machine (users, owners, the firewall) is checked and left out; all of it is said in `machine`.

import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startConnectProxy } from "../harness/connect-proxy.ts";
import { findProgram, need } from "../harness/need.ts";
import { startOrigin } from "../harness/origin.ts";
import { command, type CommandResult } from "../harness/program.ts";
import { eventually, freePort, scratchFolder } from "../harness/scratch.ts";
import { createAuthority } from "../harness/tls.ts";
import { files, read, root } from "../house/tree.ts";

/** Absolute paths that the documents and the unit files name: each lies below the folder instead. */
const PLACES = /(?<![\w./-])\/(?=(?:etc|var|opt|run\/credentials|usr\/local\/bin|tmp\/sallyport-restored)\b)/g;
/** Needs a daemon and an image of the network; the Containerfile has a test of its own. */
const NOT_RUN = "docker build";

function blocks(file: string, language: string): readonly string[] {
  return [...read(file).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, block = ""]) => block);
}

/** As systemd does it: credentials are copied, then ExecStart runs; stop is SIGTERM and waits. */
const SYSTEMCTL = `
unit() { sed "s#\\([ =:]\\)/\\(etc\\|opt\\|var\\)/#\\1$ROOT/\\2/#g" "$ROOT/etc/systemd/system/$1.service"; }
start() {
  mkdir -p "$ROOT/run/credentials/$1.service" "$ROOT/run/pid"
  unit "$1" | sed -n 's/^LoadCredential=//p' | while IFS=: read -r name from; do
    install -m 0400 "$from" "$ROOT/run/credentials/$1.service/$name"
  done
  $(unit "$1" | sed -n 's/^ExecStart=//p') >> "$ROOT/$1.log" 2>&1 < /dev/null &
  echo $! > "$ROOT/run/pid/$1"
}
stop() {
  [ -e "$ROOT/run/pid/$1" ] || return 0
  pid=$(cat "$ROOT/run/pid/$1")
  kill -TERM "$pid" 2> /dev/null || true
  while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
  rm "$ROOT/run/pid/$1"
}
case "$*" in
  daemon-reload) ;;
  "enable --now "*) start "$3" ;;
  "start "*) start "$2" ;;
  "stop "*) stop "$2" ;;
  "restart "*) stop "$2"; start "$2" ;;
  *) echo "systemctl: $*" >&2; exit 1 ;;
esac`;

/** What the rest of the machine is replaced by. Users are names only: whoever runs the test stands for all of them. */
function machine(folder: string): Readonly<Record<string, string>> {
  const nft = findProgram("nft");
  const mayAsk = nft !== undefined && process.getuid?.() === 0;
  return {
    systemctl: SYSTEMCTL,
    useradd: 'case "$*" in "--system --home-dir /var/lib/"*|"--system --home-dir $ROOT/var/lib/"*) ;; *) exit 1 ;; esac',
    runuser: '[ "$1" = -u ] && [ "$3" = -- ] || exit 1\nshift 3\nexec "$@"',
    install: [
      "for argument do shift",
      'case "$argument" in -o|-g) skip=1 ;; *) [ "$skip" = 1 ] || set -- "$@" "$argument"; skip=0 ;; esac',
      `done\nexec ${findProgram("install") ?? "install"} "$@"`,
    ].join("\n"),
    // Installing and building: what every end-to-end test starts with, and tests of npm start.
    npm: '[ "$*" = "start -- --once" ]',
    nft: mayAsk
      ? `for file do :; done\nsed 's/skuid [a-z]* /skuid root /; s/skuid { root, _apt }/skuid root/' "$file" > ${folder}/checked.nft\nexec ${nft} --check --file ${folder}/checked.nft`
      : "exit 0",
  };
}

test("an operator installs, upgrades, backs up and goes back as it is written", { timeout: 300_000 }, async (context) => {
  need(context, "sh", "sed", "install", "openssl");
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack, "sallyport-machine");
  const work = join(folder, "work");
  const stubs = join(folder, "stubs");
  for (const made of [work, stubs, "etc/systemd/system", "var/lib", "var/backups", "opt", "usr/local/bin", "tmp"].map((name) =>
    name.startsWith("/") ? name : join(folder, name),
  ))
    mkdirSync(made, { recursive: true });
  for (const name of ["sallyport", "sallyport-new"]) symlinkSync(root, join(folder, "opt", name));
  for (const [name, text] of Object.entries(machine(folder))) {
    writeFileSync(join(stubs, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(stubs, name), 0o755);
  }

  const [port, relayAdmin, connectorAdmin] = [await freePort(), await freePort(), await freePort()];
  const origin = await startOrigin(stack, (_request, response) => void response.end("wiki"));
  const proxy = await startConnectProxy(stack, "example.com", () => port);
  const authority = await createAuthority(work);
  const certificate = await authority.issue("tls", ["*.example.com"]);
  expect(certificate.certificateFile).toBe(join(work, "tls.crt"));
  const here = (text: string): string =>
    text
      .replaceAll(PLACES, `${folder}/`)
      .replaceAll('"0.0.0.0:443"', `"127.0.0.1:${port}"`)
      .replaceAll(":9090", `:${relayAdmin}`)
      .replaceAll(":9091", `:${connectorAdmin}`)
      .replaceAll("http://127.0.0.1:3000", origin.url)
      // No provider is asked here.
      .replaceAll("https://idp.example.com", "https://localhost:1");
  const env = {
    ROOT: folder,
    PATH: `${stubs}:${join(folder, "usr", "local", "bin")}:${process.env["PATH"] ?? ""}`,
    HTTPS_PROXY: proxy.url,
    NODE_EXTRA_CA_CERTS: authority.caFile,
  };
  stack.defer(async () => {
    for (const unit of ["sallyport", "sallyport-relay"]) await command("systemctl", ["stop", unit], { env });
  });
  const follow = async (block: string, cwd = work): Promise<CommandResult> => {
    const result = await command("sh", ["-e", "-c", here(block)], { cwd, env });
    const logs = ["sallyport-relay", "sallyport"].map((unit) => join(folder, `${unit}.log`)).filter((file) => existsSync(file));
    expect(result.code, `${block}\n${result.stdout}${result.stderr}${logs.map((file) => readFileSync(file, "utf8")).join("")}`).toBe(0);
    return result;
  };
  const ready = async (admin: number): Promise<void> => {
    const asked = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${admin}/readyz`)).status === 200;
    await eventually(asked, { what: "readyz", context: () => readFileSync(join(folder, "sallyport-relay.log"), "utf8") });
  };

  const [relayYaml = "", connectorYaml = ""] = blocks("docs/install.md", "yaml");
  writeFileSync(join(work, "relay.yaml"), here(relayYaml));
  writeFileSync(join(work, "connector.yaml"), here(connectorYaml));
  writeFileSync(join(work, "corp-secret"), "a-client-secret-of-some-length\n", { mode: 0o600 });
  writeFileSync(join(work, "passphrase"), "a passphrase that seals the backup\n", { mode: 0o600 });

  const [programs = "", folders = "", relayUnit = "", status = "", connector = "", check = "", firewall = "", ...containers] = blocks(
    "docs/install.md",
    "sh",
  );
  expect(containers.map((block) => block.includes(NOT_RUN))).toEqual([true]);
  await follow(programs);
  await follow(folders);
  expect((await command("stat", ["-c", "%a", join(folder, "etc/sallyport/secrets/corp-secret")])).stdout).toBe("600\n");
  await follow(relayUnit);
  await ready(relayAdmin);
  expect((await follow(status)).stdout).toContain("office");
  await command("mv", [join(folder, "var/lib/sallyport-relay/office.credential"), work]);
  await follow(connector);
  await ready(connectorAdmin);
  const checked = (await follow(check)).stdout;
  expect(checked).not.toMatch(/^(?:FAIL|warn)/m);
  expect(checked).toMatch(/^ok .*origin wiki/m);
  await follow(firewall);

  const [backup = "", tried = "", built = "", before = "", upgrade = "", connectors = "", back = "", ...none] = blocks(
    "docs/upgrade.md",
    "sh",
  );
  expect(none).toEqual([]);
  await follow(backup);
  expect((await follow(tried)).stdout).toContain("1 credentials");
  await follow(built, root);
  await follow(before, root);
  // restart does not wait for readiness, as systemd does not for a unit of this type.
  const [change = "", ...after] = upgrade.split(/(?<=restart sallyport-relay\n)/);
  await follow(change);
  await ready(relayAdmin);
  expect((await follow(after.join(""))).stdout).toContain("office");
  await follow(connectors, root);
  await ready(connectorAdmin);
  const [stopped = "", ...looked] = back.split(/(?<=start sallyport-relay\n)/);
  await follow(stopped);
  await ready(relayAdmin);
  expect((await follow(looked.join(""))).stdout).toContain("office");
  // The connector's credential is of before the backup, so it comes back by itself.
  await eventually(async () => (await fetch(`http://127.0.0.1:${connectorAdmin}/readyz`)).status === 200, {
    what: "the connector",
    timeoutMs: 45_000,
  });
});

test("the unit files are what systemd understands, and leave little to an intruder", async (context) => {
  const [analyze = ""] = need(context, "systemd-analyze");
  await using stack = new AsyncDisposableStack();
  const folder = scratchFolder(stack);
  const units = files("examples/deploy/*.service").map((file) => {
    const copy = join(folder, file.split("/").at(-1) ?? "");
    writeFileSync(copy, read(file).replaceAll("/opt/sallyport", root));
    return copy;
  });
  expect(units).toHaveLength(2);
  const verified = await command(analyze, ["verify", "--man=no", ...units], { env: { SYSTEMD_LOG_LEVEL: "warning" } });
  expect([verified.code, verified.stdout + verified.stderr]).toEqual([0, ""]);
  for (const unit of units) {
    const { stdout, stderr } = await command(analyze, ["security", "--offline=yes", "--no-pager", unit]);
    const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout + stderr)?.[1];
    expect(Number(exposure), stdout + stderr).toBeLessThan(2);
  }
});

/** Instructions of a Dockerfile (Dockerfile reference), continuation lines joined. */
function instructions(text: string): readonly (readonly [string, string])[] {
  const lines = text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  return lines.flatMap((line) => {
    const [, word = "", rest = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    return line.trim() === "" ? [] : [[word, rest] as const];
  });
}

const KNOWN = new Set("FROM RUN COPY WORKDIR USER VOLUME EXPOSE STOPSIGNAL ENTRYPOINT CMD ENV ARG".split(" "));

test("the Containerfile holds together: stages, programs, no root, what the documents build", async (context) => {
  const [sh = ""] = need(context, "sh");
  const all = instructions(read("examples/deploy/Containerfile"));
  expect(all.filter(([word]) => !KNOWN.has(word))).toEqual([]);
  const stages = all.flatMap(([word, rest]) => (word === "FROM" ? [/ AS (\w+)$/.exec(rest)?.[1]] : []));
  expect(stages).toEqual(["build", "relay", "connector"]);
  const targets = [...read("docs/install.md").matchAll(/--target (\w+)/g)].map(([, target]) => target);
  expect(targets).toEqual(["relay", "connector"]);
  for (const [word, rest] of all) {
    // A syntax error in a shell line would be found after minutes of building.
    if (word === "RUN") expect(await command(sh, ["-n", "-c", rest])).toMatchObject({ code: 0, stderr: "" });
    if (word === "ENTRYPOINT" || word === "CMD") expect(JSON.parse(rest)).toEqual(expect.arrayContaining([expect.any(String)]));
    if (word === "USER") expect(rest).not.toBe("root");
    const from = /--from=(\w+) (\S+)/.exec(rest);
    if (word === "COPY" && from !== null)
      expect([stages, all.find(([, text]) => text.includes(from[2] ?? ""))]).toEqual([
        expect.arrayContaining([from[1]]),
        expect.anything(),
      ]);
  }
  expect(all.filter(([word]) => word === "USER")).toHaveLength(2);
  // What `pnpm deploy` copies is what the packages say they consist of.
  for (const name of ["relay", "connector"]) {
    const { files: published, bin } = JSON.parse(read(`packages/${name}/package.json`)) as { files: string[]; bin: Record<string, string> };
    expect([published, Object.values(bin)]).toEqual([["dist"], ["./dist/main.js"]]);
  }
});
