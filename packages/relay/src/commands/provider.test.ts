import { get } from "node:http";
import { describe, expect, it } from "vitest";
import type { LoginAttempt, LoginResult, ProviderLogin, RedirectProvider } from "../authn/provider.ts";
import { loginByPasting, loginByPin, loginOnLoopback, type Terminal } from "./provider-login.ts";
import { shown } from "./provider.ts";

const LOGIN: ProviderLogin = {
  identity: {
    subject: "1",
    email: "ann@example.com",
    name: undefined,
    groups: undefined,
    authMethods: ["pwd"],
    claims: { department: "sales" },
  },
  refreshToken: "rt.canary",
  providerSessionId: undefined,
};
const REDIRECT_URI = "https://auth.example.com/callback/corp";

/** Answers with a login when the callback has the attempt's state. */
class Corp implements RedirectProvider {
  readonly kind = "redirect";
  readonly name = "corp";
  readonly label = "Corp";
  readonly canRefresh = false;
  begin({ state }: LoginAttempt, redirectUri: string): Promise<string> {
    return Promise.resolve(`https://idp.example.com/?${new URLSearchParams({ state, redirect_uri: redirectUri }).toString()}`);
  }
  finish(attempt: LoginAttempt, callback: URL): Promise<LoginResult> {
    const right = callback.searchParams.get("state") === attempt.state;
    return Promise.resolve(right ? { kind: "login", login: LOGIN } : { kind: "problem", problem: "provider-invalid", detail: "state" });
  }
  refresh(): Promise<{ readonly kind: "unsupported" }> {
    return Promise.resolve({ kind: "unsupported" });
  }
  revoke(): Promise<void> {
    return Promise.resolve();
  }
  backChannelLogout(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

/** A person who reads what is said, and answers with what `answer` makes of it. */
function person(answer: (said: string) => string): Terminal & { said: string } {
  const terminal = {
    said: "",
    say: (text: string): void => void (terminal.said += text),
    ask: (): Promise<string> => Promise.resolve(answer(terminal.said)),
  };
  return terminal;
}

function addressIn(said: string): URL {
  return new URL(/^ {2}(https:\S+)$/m.exec(said)?.[1] ?? "");
}

describe("provider test (A3)", () => {
  it("takes the address at which the browser ended", async () => {
    const terminal = person((said) => ` ${REDIRECT_URI}?code=c&state=${addressIn(said).searchParams.get("state") ?? ""}\n`);
    expect((await loginByPasting(new Corp(), REDIRECT_URI, terminal)).kind).toBe("login");
    expect(addressIn(terminal.said).searchParams.get("redirect_uri")).toBe(REDIRECT_URI);
  });

  it.each(["", "code", "https://evil.example.com/callback/corp?code=c", `${REDIRECT_URI}/more?code=c`])(
    "takes no other address: %j",
    async (text) => {
      await expect(
        loginByPasting(
          new Corp(),
          REDIRECT_URI,
          person(() => text),
        ),
      ).rejects.toMatchObject({ code: "ERR_PROVIDER_TEST" });
    },
  );

  it("listens on loopback for the browser, and stops listening", async () => {
    const terminal = person(() => "");
    const visited = Promise.withResolvers<number | undefined>();
    const browse: Terminal = {
      ...terminal,
      say: (text) => {
        const { searchParams } = addressIn(text);
        const callback = `${searchParams.get("redirect_uri") ?? ""}?code=c&state=${searchParams.get("state") ?? ""}`;
        get(callback.replace("/callback/corp", "/other"), (response) => {
          visited.resolve(response.statusCode);
          response.resume();
          get(callback, (answer) => answer.resume());
        });
      },
    };
    expect((await loginOnLoopback(new Corp(), { port: 0, timeoutMs: 10_000 }, browse)).kind).toBe("login");
    expect(await visited.promise).toBe(404);
  });

  it("does not wait for ever", async () => {
    await expect(
      loginOnLoopback(
        new Corp(),
        { port: 0, timeoutMs: 10 },
        person(() => ""),
      ),
    ).rejects.toMatchObject({ code: "ERR_PROVIDER_TEST" });
  });

  it("asks for a code until it is right or over", async () => {
    const checks = [
      { kind: "wrong", triesLeft: 1, retryAfterS: 2 },
      { kind: "early", retryAfterS: 1 },
      { kind: "login", login: LOGIN },
    ] as const;
    let next = 0;
    const pin = {
      kind: "pin",
      name: "pin",
      label: "PIN",
      send: () => Promise.resolve({ kind: "sent", challengeId: "c" } as const),
      check: () => checks[next++] ?? ({ kind: "over" } as const),
    } as const;
    const terminal = person(() => "x");
    expect((await loginByPin(pin, terminal)).kind).toBe("login");
    expect(terminal.said).toContain("1 left. Wait 2 s before the next.");
    expect(terminal.said).toContain("too soon");
    expect(await loginByPin(pin, terminal)).toMatchObject({ kind: "problem" });
  });

  it("shows what policies see, says what is missing, and shows no token", () => {
    expect(shown({ kind: "login", login: LOGIN })).toEqual({
      kind: "login",
      identity: { subject: "1", email: "ann@example.com", name: null, groups: null, authMethods: ["pwd"], claims: { department: "sales" } },
      renewal: "refresh token",
      backChannelLogout: false,
    });
  });
});
