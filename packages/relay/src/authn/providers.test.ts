import { ManualClock } from "@sallyport/shared/clock";
import { Secret } from "@sallyport/shared/secret";
import { describe, expect, it } from "vitest";
import type { GithubProviderConfig, OneTimePinProviderConfig } from "../config/types.ts";
import { createProviders, type ProviderDeps } from "./providers.ts";
import type { PinProvider } from "./provider.ts";

const lines: string[] = [];
const deps: ProviderDeps = {
  clock: new ManualClock(),
  authUrl: "http://auth.relay.localhost",
  onProblem: () => undefined,
  showOnTerminal: (line) => void lines.push(line),
};
const github = (secret = "one"): GithubProviderConfig => ({
  type: "github",
  name: "gh",
  label: "GitHub",
  url: "https://github.com",
  clientId: "id",
  clientSecret: new Secret(secret),
  allowPrivateNetwork: false,
});
const pin: OneTimePinProviderConfig = {
  type: "one-time-pin",
  name: "pin",
  label: "PIN",
  delivery: "terminal",
  smtp: undefined,
  recipients: undefined,
};

describe("the providers of a configuration", () => {
  it("are found by name, in the order in which they are written", () => {
    expect([...createProviders([pin, github()], deps)].map(([name, { kind, label }]) => [name, kind, label])).toEqual([
      ["pin", "pin", "PIN"],
      ["gh", "redirect", "GitHub"],
    ]);
  });

  it("survive a reload that does not change them, and only then", () => {
    const before = createProviders([pin, github()], deps);
    const after = createProviders([{ ...pin }, github()], deps, before);
    expect([after.get("pin") === before.get("pin"), after.get("gh") === before.get("gh")]).toEqual([true, true]);
    const rotated = createProviders([{ ...pin, label: "Other" }, github("two")], deps, after);
    expect([rotated.get("pin") === before.get("pin"), rotated.get("gh") === before.get("gh")]).toEqual([false, false]);
    expect(createProviders([], deps, rotated).size).toBe(0);
  });

  it("print PINs with delivery terminal", async () => {
    const provider = createProviders([pin], deps).get("pin") as PinProvider;
    const sending = await provider.send("ann@example.com", "127.0.0.1");
    const [, code = ""] = /^Code for ann@example\.com \(pin\): (\d{6})$/.exec(lines[0] ?? "") ?? [];
    expect(provider.check(sending.kind === "sent" ? sending.challengeId : "", code, "127.0.0.1").kind).toBe("login");
  });
});
