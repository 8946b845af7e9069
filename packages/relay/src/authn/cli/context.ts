// What the endpoints for command lines share. One instance per relay.

import { hashSessionId } from "../../observe/record-line.ts";
import type { LoginContext } from "../login/context.ts";
import type { LoginTarget, LoginVisit } from "../login/types.ts";
import type { Session } from "../session.ts";
import { CliCodes } from "./codes.ts";
import { DeviceGrants } from "./device-grants.ts";
import type { FindTarget } from "./request.ts";
import { Tries } from "./tries.ts";

/** Verifies an application token that a command line presents, for its application. */
export type SessionOfToken = (token: string, target: LoginTarget) => Session | undefined;

export class CliContext {
  readonly login: LoginContext;
  readonly sessionOfToken: SessionOfToken;
  readonly codes: CliCodes;
  readonly devices: DeviceGrants;
  readonly tries: Tries;

  constructor(login: LoginContext, sessionOfToken: SessionOfToken) {
    const { clock } = login.services;
    this.login = login;
    this.sessionOfToken = sessionOfToken;
    this.codes = new CliCodes(clock);
    this.devices = new DeviceGrants(clock);
    this.tries = new Tries(clock);
  }

  get findTarget(): FindTarget {
    return (hostname, path) => this.login.services.findTarget(hostname, path);
  }

  /** A security event about a person and the machine that asks. */
  event(type: string, visit: LoginVisit, session: Session, about: { readonly application: string; readonly machine?: string }): void {
    const { provider, subject, email = "" } = session.identity;
    const { clientAddress: sourceIp, requestId } = visit;
    const { application, machine } = about;
    const fields = { provider, subject, email, sessionHash: hashSessionId(session.id), application, sourceIp, requestId };
    this.login.services.event(type, `${provider}|${subject}`, machine === undefined ? fields : { ...fields, detail: `machine ${machine}` });
  }
}
