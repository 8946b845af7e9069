// Health of the relay: alive (the process answers) and ready (it may be given visitors).

export type HealthCheck = () => { readonly ok: true } | { readonly ok: false; readonly problem: string };

export interface HealthReport {
  readonly ready: boolean;
  /** What is not well, by the name of its check; empty when ready. */
  readonly problems: Readonly<Record<string, string>>;
}

export interface Health {
  /** Adds a named check, asked at each report; it must be quick and must not do I/O. */
  add(name: string, check: HealthCheck): void;
  /** Called when a stop begins: not ready from then on, so that load balancers look elsewhere while requests finish. */
  startDraining(): void;
  report(): HealthReport;
}

export function createHealth(): Health {
  const checks = new Map<string, HealthCheck>();
  let draining = false;
  return {
    add: (name, check) => void checks.set(name, check),
    startDraining: () => void (draining = true),
    report() {
      const problems: Record<string, string> = draining ? { relay: "is stopping" } : {};
      for (const [name, check] of checks) {
        const problem = askCheck(check);
        if (problem !== undefined) problems[name] = problem;
      }
      return { ready: Object.keys(problems).length === 0, problems };
    },
  };
}

function askCheck(check: HealthCheck): string | undefined {
  try {
    const result = check();
    return result.ok ? undefined : result.problem;
  } catch {
    // A check that fails says that something is not well; what it threw may hold anything.
    return "could not be checked";
  }
}
