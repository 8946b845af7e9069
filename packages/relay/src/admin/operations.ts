// The administrative operations on the state: what the commands credential, service-token, keys, audit and backup call,
// in the running relay through its socket or in their own process. Each change is a security event in the record (R-M3).

import { rmSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { SallyportError } from "@sallyport/shared/errors";
import type { EventFields } from "../observe/record-line.ts";
import type { CredentialRecord } from "../state/credentials.ts";
import type { EventQuery } from "../state/events.ts";
import type { KeyRecord, KeyRotation, RotatingPurpose } from "../state/keys.ts";
import type { ServiceTokenRecord } from "../state/service-tokens.ts";
import { COPY_NAME } from "../state/copies.ts";
import type { State } from "../state/state.ts";
import { createSessionOperations } from "./session-operations.ts";
import { type AdminHandlers, readBytes, readCount, readMembers, readOptionalCount, readOptionalText, readText } from "./api.ts";

/** Who did it, in the record: whoever may open the admin socket. */
const ACTOR = "command";

export interface OperationsOptions {
  readonly state: State;
  readonly record: (type: string, actor: string, fields: EventFields) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Makes what was recorded readable in the files. */
  readonly flush: () => Promise<void>;
}

/** Operations that need only the state; a running relay adds its own (status). */
export function createStateOperations(options: OperationsOptions): AdminHandlers {
  return {
    ping: () => ({}),
    ...credentialOperations(options),
    ...serviceTokenOperations(options),
    ...createSessionOperations(options),
    ...keyOperations(options),
    ...auditOperations(options),
    ...backupOperations(options),
  };
}

/** A credential as clients see it. */
export interface CredentialView {
  readonly id: string;
  readonly tunnel: string;
  readonly label: string;
  readonly createdAt: number;
  readonly revokedAt?: number;
  readonly lastSeenAt?: number;
}

function credentialOperations({ state, record }: OperationsOptions): AdminHandlers {
  return {
    "credential/create": (input) => {
      const members = readMembers(input, ["tunnel", "publicKey", "label"]);
      const credential = state.credentials.create({
        tunnel: readText(members, "tunnel"),
        publicKey: readBytes(members, "publicKey"),
        label: readOptionalText(members, "label") ?? "",
      });
      record("credential.created", ACTOR, { credentialId: credential.id, tunnel: credential.tunnel });
      return { credential: viewCredential(credential), rootKey: Buffer.from(state.keys.rootPublicKey).toString("base64url") };
    },
    "credential/list": (input) => {
      const tunnel = readOptionalText(readMembers(input, ["tunnel"]), "tunnel");
      return { credentials: state.credentials.list(tunnel).map(viewCredential) };
    },
    "credential/revoke": (input) => {
      const id = readText(readMembers(input, ["id"]), "id");
      const known = state.credentials.get(id);
      if (known === undefined) throw notFound("ERR_CREDENTIAL_UNKNOWN", "credential", id, "credential list");
      // Recorded before it is tried: when the disk is full, at least the record's buffer has it.
      if (known.revokedAt === undefined) record("credential.revoked", ACTOR, { credentialId: id, tunnel: known.tunnel });
      return { credential: viewCredential(state.credentials.revoke(id) ?? known) };
    },
  };
}

/** A service token as clients see it. */
export interface ServiceTokenView {
  readonly clientId: string;
  readonly name: string;
  readonly status: "active" | "disabled" | "expired" | "revoked";
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly previousExpiresAt?: number;
  readonly lastUsedAt?: number;
}

function serviceTokenOperations({ state, record, now }: OperationsOptions): AdminHandlers {
  const { serviceTokens } = state;
  const view = (token: ServiceTokenRecord): ServiceTokenView => viewServiceToken(token, now());
  /** By client id, or by the name of a token that is not revoked. */
  const find = (input: unknown, also: readonly string[] = []): ServiceTokenRecord => {
    const wanted = readText(readMembers(input, ["token", ...also]), "token");
    const token = serviceTokens.get(wanted) ?? serviceTokens.list().find((one) => one.name === wanted && one.revokedAt === undefined);
    if (token === undefined) throw notFound("ERR_SERVICE_TOKEN_UNKNOWN", "service token", wanted, "service-token list");
    return token;
  };
  const changed = (type: string, token: ServiceTokenRecord): void =>
    record(type, ACTOR, { tokenId: token.clientId, tokenName: token.name });
  const change = (type: string, act: (id: string) => ServiceTokenRecord | undefined) => (input: unknown) => {
    const token = find(input);
    changed(type, token);
    return { token: view(act(token.clientId) ?? token) };
  };
  return {
    "service-token/create": (input) => {
      const members = readMembers(input, ["clientId", "name", "secretHash", "expiresAt"]);
      const token = serviceTokens.create({
        clientId: readText(members, "clientId"),
        name: readText(members, "name"),
        secretHash: readBytes(members, "secretHash"),
        expiresAt: readCount(members, "expiresAt"),
      });
      changed("service-token.created", token);
      return { token: view(token) };
    },
    "service-token/list": () => ({ tokens: serviceTokens.list().map(view) }),
    "service-token/rotate": (input) => {
      const token = find(input, ["secretHash", "graceMs", "expiresAt"]);
      const members = readMembers(input, ["token", "secretHash", "graceMs", "expiresAt"]);
      const rotated = serviceTokens.rotate(token.clientId, {
        secretHash: readBytes(members, "secretHash"),
        graceMs: readCount(members, "graceMs"),
        expiresAt: readOptionalCount(members, "expiresAt"),
      });
      if (rotated === undefined) throw new SallyportError("ERR_SERVICE_TOKEN_REVOKED", "This token is revoked; create a new one.");
      changed("service-token.rotated", rotated);
      return { token: view(rotated) };
    },
    "service-token/disable": change("service-token.disabled", (id) => serviceTokens.disable(id)),
    "service-token/enable": change("service-token.enabled", (id) => serviceTokens.enable(id)),
    "service-token/revoke": change("service-token.revoked", (id) => serviceTokens.revoke(id)),
  };
}

/** A key as clients see it: never its private half (R-G6). */
export interface KeyView {
  readonly kid: string;
  readonly purpose: string;
  readonly algorithm: string;
  readonly createdAt: number;
  readonly activeAt: number;
  readonly retireAt?: number;
  readonly revokedAt?: number;
}

function keyOperations({ state, record }: OperationsOptions): AdminHandlers {
  const { keys } = state;
  const result = ({ key, toSign }: KeyRotation): object => ({ key: viewKey(key), ...(toSign === undefined ? {} : { toSign }) });
  return {
    "keys/list": () => ({ keys: keys.list().map(viewKey), rootOnline: keys.rootOnline, toSign: keys.manifestToSign() ?? null }),
    "keys/rotate": (input) => {
      const purpose = readText(readMembers(input, ["purpose"]), "purpose");
      if (purpose !== "assertion" && purpose !== "token" && purpose !== "access")
        throw new SallyportError("ERR_KEYS_PURPOSE", "Keys for assertion, token and access rotate; write one of these.");
      const rotation = keys.rotate(purpose satisfies RotatingPurpose);
      record("key.rotated", ACTOR, { kid: rotation.key.kid, purpose });
      return result(rotation);
    },
    "keys/revoke": (input) => {
      const kid = readText(readMembers(input, ["kid"]), "kid");
      const rotation = keys.revoke(kid);
      if (rotation === undefined) throw notFound("ERR_KEYS_UNKNOWN", "key that could be revoked", kid, "keys list");
      record("key.revoked", ACTOR, { kid, purpose: rotation.key.purpose });
      return result(rotation);
    },
    "keys/adopt": (input) => {
      keys.adoptManifest(readText(readMembers(input, ["manifest"]), "manifest"));
      record("manifest.adopted", ACTOR, {});
      return {};
    },
  };
}

function auditOperations({ state, flush }: OperationsOptions): AdminHandlers {
  return {
    "audit/events": (input) => {
      const members = readMembers(input, ["type", "sinceMs", "limit"]);
      const type = readOptionalText(members, "type");
      const sinceMs = readOptionalCount(members, "sinceMs");
      const limit = readOptionalCount(members, "limit");
      const query: EventQuery = {
        ...(type === undefined ? {} : { type }),
        ...(sinceMs === undefined ? {} : { sinceMs }),
        ...(limit === undefined ? {} : { limit }),
      };
      return { events: state.events.query(query) };
    },
    /** What `audit verify` compares the files with: the newest head that the state remembers, and the keys that sign. */
    "audit/anchor": async () => {
      await flush();
      const keys = state.keys.recordKeys().map((key) => key.export({ format: "der", type: "spki" }).toString("base64url"));
      return { head: state.recordHead.read() ?? null, keys };
    },
  };
}

function backupOperations({ state, record }: OperationsOptions): AdminHandlers {
  return {
    /** Copies the database, keys included, into the state folder: the command packs the copy and discards it. */
    "backup/copy": () => {
      const name = `backup-${randomBytes(8).toString("hex")}.db`;
      state.copyTo(join(state.folder, name));
      record("state.copied", ACTOR, { file: name });
      return { name };
    },
    "backup/discard": (input) => {
      const name = readText(readMembers(input, ["name"]), "name");
      if (!COPY_NAME.test(name)) throw new SallyportError("ERR_BACKUP_NAME", "This is no copy that a backup made.");
      rmSync(join(state.folder, name), { force: true });
      return {};
    },
  };
}

function viewCredential(credential: CredentialRecord): CredentialView {
  const { id, tunnel, label, createdAt, revokedAt, lastSeenAt } = credential;
  return {
    id,
    tunnel,
    label,
    createdAt,
    ...(revokedAt === undefined ? {} : { revokedAt }),
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
  };
}

function viewServiceToken(token: ServiceTokenRecord, now: number): ServiceTokenView {
  const { clientId, name, createdAt, expiresAt, previousExpiresAt, lastUsedAt } = token;
  const status =
    token.revokedAt !== undefined ? "revoked" : token.disabledAt !== undefined ? "disabled" : expiresAt <= now ? "expired" : "active";
  return {
    clientId,
    name,
    status,
    createdAt,
    expiresAt,
    ...(previousExpiresAt === undefined || previousExpiresAt <= now ? {} : { previousExpiresAt }),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt }),
  };
}

function viewKey(key: KeyRecord): KeyView {
  const { kid, purpose, algorithm, createdAt, activeAt, retireAt, revokedAt } = key;
  return {
    kid,
    purpose,
    algorithm,
    createdAt,
    activeAt,
    ...(retireAt === undefined ? {} : { retireAt }),
    ...(revokedAt === undefined ? {} : { revokedAt }),
  };
}

function notFound(code: `ERR_${string}`, what: string, wanted: string, command: string): SallyportError {
  return new SallyportError(code, `There is no ${what} ${JSON.stringify(wanted.slice(0, 80))}. See: sallyport-relay ${command}`);
}
