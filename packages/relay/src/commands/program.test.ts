import { CommanderError, type Command } from "commander";
import { expect, test, vi } from "vitest";

// The composition root binds sockets and opens databases; a help text needs neither.
vi.mock("../relay.ts", () => ({ createRelay: () => undefined }));
const { buildProgram, exitByThrowing } = await import("./program.ts");

interface Run {
  readonly out: string;
  readonly error: string;
  readonly code: string | undefined;
  readonly exitCode: number | undefined;
}

async function run(...args: readonly string[]): Promise<Run> {
  let out = "";
  let error = "";
  const program = exitByThrowing(buildProgram());
  const silence = (command: Command): void => {
    command.configureOutput({
      writeOut: (text) => void (out += text),
      writeErr: (text) => void (error += text),
      getOutHelpWidth: () => 120,
    });
    command.commands.forEach(silence);
  };
  silence(program);
  try {
    await program.parseAsync(["node", "sallyport-relay", ...args]);
    return { out, error, code: undefined, exitCode: undefined };
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    return { out, error, code: thrown.code, exitCode: thrown.exitCode };
  }
}

test("--help shows the first three things to do", async () => {
  const { out, exitCode } = await run("--help");
  expect(exitCode).toBe(0);
  for (const command of ["sallyport-relay check", "sallyport-relay serve", "sallyport-relay credential create office"])
    expect(out).toContain(command);
});

test("every command has a summary and a help text with an example, and none takes a secret as an argument", async () => {
  const visit = async (command: Command, path: readonly string[]): Promise<void> => {
    expect(command.summary() || command.description(), path.join(" ")).not.toBe("");
    if (command.commands.length === 0) expect((await run(...path, "--help")).out, path.join(" ")).toMatch(/\$ sallyport-relay /);
    for (const option of command.options) expect(option.flags).not.toMatch(/<(?:secret|password|passphrase|token)>/);
    for (const sub of command.commands) await visit(sub, [...path, sub.name()]);
  };
  for (const command of buildProgram().commands) await visit(command, [command.name()]);
});

test.each([
  [["chek"], "Did you mean check?"],
  [["check", "--confg", "x"], "Did you mean --config?"],
  [["serve", "--log-level", "loud"], "Allowed choices are"],
  [["serve", "--grace", "soon"], "Write a duration"],
  [["explain", "--request", "x", "--request-id", "y"], "cannot be used with"],
])("%j is a usage error that says what to write", async (args, hint) => {
  const { error, exitCode } = await run(...args);
  expect(error).toContain(hint);
  expect(exitCode).not.toBe(0);
});

test("without a command the help is shown, as an error", async () => {
  const { error, exitCode } = await run();
  expect(error).toContain("Usage: sallyport-relay");
  expect(exitCode).not.toBe(0);
});
