// What `run`, `http` and `check` do before they differ: configuration, credential, and the gate that belongs to it.

import type { TunnelCredential } from "@sallyport/shared/credential-file";
import { findCredential } from "../config/credential.ts";
import { loadConfig, type LoadResult } from "../config/load.ts";
import { renderProblems } from "@sallyport/shared/config/render";
import type { ConnectorConfig, CredentialSource } from "../config/types.ts";
import { relayUrl } from "../connector.ts";
import { createGate, type StreamGate } from "../gate/gate.ts";
import { SallyportError } from "@sallyport/shared/errors";
import type { Io } from "./io.ts";

export const DEFAULT_CONFIG_FILE = "connector.yaml";

type Loaded = Extract<LoadResult, { readonly kind: "loaded" }>;

/** Undefined after the problems were shown. */
export function loadOrExplain(file: string, json: boolean, io: Io): Loaded | undefined {
  const result = loadConfig(file, io.environment);
  if (result.kind === "loaded") return result;
  if (json) io.out(JSON.stringify({ problems: result.problems }));
  else io.err(renderProblems(result.problems, { color: io.color, lines: result.lines }));
  return undefined;
}

export interface FoundCredential {
  readonly credential: TunnelCredential;
  readonly gate: StreamGate;
}

/**
 * The credential, checked against the relay that the configuration names. Undefined after the problem was shown.
 * @param file value of --credential, which goes before everything else.
 */
export function credentialOrExplain(file: string | undefined, config: ConnectorConfig, io: Io): FoundCredential | undefined {
  const source: CredentialSource | undefined = file === undefined ? config.credential : { kind: "file", path: file };
  const found = findCredential(source, io.environment);
  if (found.kind === "refused") {
    io.err(`error[ERR_CREDENTIAL]: ${found.problem}\n   = ${found.remedy}`);
    return undefined;
  }
  try {
    relayUrl(config, found.credential);
    return { credential: found.credential, gate: createGate(found.credential, found.path, io.clock) };
  } catch (error) {
    if (error instanceof SallyportError) io.err(`error[${error.code}]: ${error.message}`);
    // Fail closed: without it an older key manifest could be slipped in.
    else
      io.err(
        `error[ERR_KEY_STATE]: ${String(found.path)}.keys, the record of signing keys beside the credential, cannot be read\n   = repair its permissions; delete it only if you know why it is damaged`,
      );
    return undefined;
  }
}
