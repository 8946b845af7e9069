// Child processes of the tests: started with a clean environment, their output kept, and none left behind even
// when a test throws or the runner is told to end. Must not know what it runs.

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { canaries } from "./canary.ts";

export interface ProgramOptions {
  /** What messages and failures call it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to PATH, HOME and LANG; nothing else of this process is passed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** Name of a network namespace to run in. */
  readonly netns?: string | undefined;
  /** Neither its arguments nor anything it prints may hold a secret (R-M2). Default false. */
  readonly secretFree?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const MAX_KEPT_LINES = 20_000;
const STOP_GRACE_MS = 40_000;

const running = new Set<Program>();

function killAll(): void {
  for (const program of running) program.kill("SIGKILL");
}

process.on("exit", killAll);

/** For test runners, which end their workers with a signal: `exit` handlers alone would not run then. */
export function killAllOnSignals(): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      killAll();
      process.exit(1);
    });
  }
}

export function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const { PATH = "/usr/sbin:/usr/bin:/bin", HOME = "/tmp" } = process.env;
  return { PATH, HOME, LANG: "C.UTF-8", ...extra };
}

export class Program implements AsyncDisposable {
  readonly name: string;
  readonly exited: Promise<Exit>;
  /** The last lines of standard output and error, in order of arrival. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #watchers = new Set<(line: string) => void>();
  readonly #secretFree: boolean;
  #partial = "";
  #exit: Exit | undefined;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    const [command, args] =
      options.netns === undefined
        ? [options.command, options.args]
        : ["ip", ["netns", "exec", options.netns, options.command, ...options.args]];
    // A group of its own, so that what the program itself started (gunicorn's workers) ends with it.
    this.#child = spawn(command, [...args], {
      cwd: options.cwd,
      env: cleanEnv(options.env),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    running.add(this);
    this.#secretFree = options.secretFree === true;
    if (this.#secretFree) {
      canaries.watch(`the arguments of ${this.name}`, () => options.args);
      canaries.watch(`the output of ${this.name}`, () => [this.output]);
    }
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#collect(chunk.toString()));
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#collect(chunk.toString()));
    this.exited = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        this.#exit = exit;
        running.delete(this);
        resolve(exit);
        for (const watcher of this.#watchers) watcher("");
      };
      this.#child.on("error", (error) => {
        this.#collect(`cannot start: ${error.message}\n`);
        settle({ code: 127, signal: null });
      });
      this.#child.on("close", (code, signal) => settle({ code, signal }));
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get exit(): Exit | undefined {
    return this.#exit;
  }

  get output(): string {
    return this.lines.join("\n");
  }

  /** Sends to the program alone; {@link Program.kill} reaches its children too. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The group has already ended.
    }
  }

  /** Resolves with the first line, past or future, that matches; rejects when the program ends or time is up. */
  async line(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
    const known = this.lines.find((line) => pattern.test(line));
    if (known !== undefined) return known;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const fail = (why: string): void => reject(new Error(`${this.name} ${why} without printing ${pattern}:\n${this.tail()}`));
    const timer = setTimeout(() => fail(`ran ${timeoutMs} ms`), timeoutMs);
    const watcher = (line: string): void => {
      if (pattern.test(line)) resolve(line);
      else if (this.#exit !== undefined) fail("ended");
    };
    this.#watchers.add(watcher);
    if (this.#exit !== undefined) fail("ended");
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    }
  }

  /** Told of every line from now on, until the returned function is called. */
  onLine(listener: (line: string) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  tail(lines = 40): string {
    return this.lines.slice(-lines).join("\n");
  }

  /** Asks politely, and kills what does not go within the grace. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs: number = STOP_GRACE_MS): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    this.signal(signal);
    const timer = setTimeout(() => this.kill("SIGKILL"), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    this.kill("SIGKILL");
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGTERM", 5_000);
  }

  #collect(text: string): void {
    const parts = (this.#partial + text).split("\n");
    this.#partial = parts.pop() ?? "";
    for (const line of parts) {
      this.lines.push(line);
      for (const watcher of this.#watchers) watcher(line);
    }
    if (this.lines.length <= MAX_KEPT_LINES) return;
    const forgotten = this.lines.splice(0, this.lines.length - MAX_KEPT_LINES);
    if (this.#secretFree) canaries.look(`the output of ${this.name}`, forgotten.join("\n"));
  }
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly netns?: string | undefined;
  /** Default 60 s; the command is killed then and its code is null. */
  readonly timeoutMs?: number;
}

/** Runs a command to its end. Never rejects: a command that cannot start has code 127. */
export function command(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, all] = options.netns === undefined ? [file, args] : ["ip", ["netns", "exec", options.netns, file, ...args]];
  return new Promise((resolve) => {
    const child = spawn(program, [...all], { cwd: options.cwd, env: cleanEnv(options.env), stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 60_000);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", (error) => resolve({ code: 127, stdout, stderr: stderr + error.message }));
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/** As {@link command}, but a code other than 0 is an error that shows what was printed. */
export async function mustRun(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await command(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
  return stdout;
}
