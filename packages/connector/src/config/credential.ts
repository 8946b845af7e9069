// Finds and reads the connector's credential: the configuration's or the command line's word, SALLYPORT_CREDENTIAL,
// else ./sallyport.credential. Refuses a private key that other users can read.

import { readFileSync } from "node:fs";
import { MAX_CREDENTIAL_FILE_BYTES, parseCredentialFile, type TunnelCredential } from "@sallyport/shared/credential-file";
import type { Environment } from "../tunnel/proxy.ts";
import { privateFileProblem } from "./permissions.ts";
import type { CredentialSource } from "./types.ts";

export const CREDENTIAL_VARIABLE = "SALLYPORT_CREDENTIAL";
export const DEFAULT_CREDENTIAL_FILE = "sallyport.credential";

export type CredentialResult =
  /** `path` is undefined when the text came from the environment. */
  | { readonly kind: "found"; readonly credential: TunnelCredential; readonly path: string | undefined }
  | { readonly kind: "refused"; readonly problem: string; readonly remedy: string };

/**
 * The credential to use. SALLYPORT_CREDENTIAL holds a path, or the JSON text itself (it starts with a brace).
 * @param source what --credential or `credential:` says; goes before everything else.
 */
export function findCredential(source: CredentialSource | undefined, environment: Environment): CredentialResult {
  if (source?.kind === "file") return readCredential(source.path);
  if (source?.kind === "env") return fromVariable(source.name, environment);
  if (environment[CREDENTIAL_VARIABLE] !== undefined) return fromVariable(CREDENTIAL_VARIABLE, environment);
  return readCredential(DEFAULT_CREDENTIAL_FILE);
}

function fromVariable(name: string, environment: Environment): CredentialResult {
  const value = environment[name]?.trim() ?? "";
  if (value === "")
    return {
      kind: "refused",
      problem: `the environment variable ${name} is not set or empty`,
      remedy: "set it to the path of the credential file",
    };
  return value.startsWith("{") ? parsed(value, `the credential in ${name}`, undefined) : readCredential(value);
}

function readCredential(path: string): CredentialResult {
  let text: string;
  try {
    const unsafe = privateFileProblem(path);
    if (unsafe !== undefined) return { kind: "refused", ...unsafe };
    const content = readFileSync(path);
    // parseCredentialFile says the rest about a file that is too large.
    text = content.toString("utf8", 0, MAX_CREDENTIAL_FILE_BYTES + 1);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    return {
      kind: "refused",
      problem: `the credential ${path} cannot be read (${code})`,
      remedy: `make one on the relay with \`sallyport-relay credential create TUNNEL\`, bring it here, and give it with --credential, ${CREDENTIAL_VARIABLE} or as ./${DEFAULT_CREDENTIAL_FILE}`,
    };
  }
  return parsed(text, `the credential ${path}`, path);
}

function parsed(text: string, what: string, path: string | undefined): CredentialResult {
  const result = parseCredentialFile(text);
  if (result.kind === "valid") return { kind: "found", credential: result.credential, path };
  return {
    kind: "refused",
    problem: `${what} cannot be used: ${result.problem}`,
    remedy: "copy the file again as it was made, or make a new one",
  };
}
