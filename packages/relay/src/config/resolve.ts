// Turns the checked document into the configuration that the relay runs on, by reading what it refers to. Works entry
// by entry, so that an unreadable certificate is reported beside mistakes elsewhere.

import { dirname, resolve } from "node:path";
import type { ApplicationDocument } from "./application-schema.ts";
import { readClientAuthority } from "./client-authority.ts";
import { readCertificate, readGeoip, readSecret, type Outcome, type Surroundings } from "./files.ts";
import type { ListenDocument } from "./listen-schema.ts";
import { readLogo } from "./logo-file.ts";
import type { LogoConfig } from "./pages-types.ts";
import type { Finding } from "@sallyport/shared/config/problem";
import type { IdentityProviderDocument } from "./provider-schema.ts";
import type { RelayDocument } from "./schema.ts";
import type { Entry, Survey } from "./survey.ts";
import type { ApplicationConfig, ConfigSource, GeoipConfig, IdentityProviderConfig, ListenConfig, RelayConfig } from "./types.ts";
import type { SecretReference } from "./values.ts";

/** What the file refers to, as far as it could be read. */
export interface Resolved {
  readonly listen: readonly Outcome<ListenConfig>[];
  readonly identityProviders: readonly Outcome<IdentityProviderConfig>[];
  readonly applications: readonly Outcome<ApplicationConfig>[];
  readonly geoip: GeoipConfig | undefined;
  readonly logo: LogoConfig | undefined;
  readonly findings: readonly Finding[];
  /** Absolute paths of all files referred to, readable or not. */
  readonly files: readonly string[];
}

export async function resolveReferences(survey: Survey, around: Surroundings): Promise<Resolved> {
  const listen = await Promise.all(survey.entries("listen").map((entry) => resolveListener(entry, around)));
  const identityProviders = await Promise.all(survey.entries("identityProviders").map((entry) => resolveProvider(entry, around)));
  const applications = await Promise.all(survey.entries("applications").map((entry) => resolveApplication(entry, around)));
  const geoipFile = survey.section("geoip")?.file;
  const geoip = geoipFile === undefined ? { value: undefined, findings: [] } : await readGeoip(geoipFile, ["geoip"], around);
  const logoFile = survey.section("pages")?.logo?.file;
  const logo = logoFile === undefined ? { value: undefined, findings: [] } : await readLogo(logoFile, ["pages", "logo"], around);
  return {
    listen,
    identityProviders,
    applications,
    geoip: geoip.value,
    logo: logo.value,
    findings: [...listen, ...identityProviders, ...applications, geoip, logo].flatMap((outcome) => outcome.findings),
    files: referencedFiles(survey).map((file) => resolve(around.folder, file)),
  };
}

/** Puts the configuration together. Only after every check passed: then all references are resolved. */
export function assemble(document: RelayDocument, resolved: Resolved, source: ConfigSource): RelayConfig {
  const folder = dirname(source.file);
  const state = resolve(folder, document.state);
  const { folder: recordsFolder, ...records } = document.records;
  return {
    authUrl: document.authUrl,
    listen: resolved.listen.flatMap(({ value }) => (value === undefined ? [] : [value])),
    admin: document.admin.address,
    state,
    trustedProxies: document.trustedProxies,
    geoip: resolved.geoip,
    identityProviders: resolved.identityProviders.flatMap(({ value }) => (value === undefined ? [] : [value])),
    tunnels: document.tunnels,
    groups: document.groups,
    policies: document.policies,
    applications: resolved.applications.flatMap(({ value }) => (value === undefined ? [] : [value])),
    tests: document.tests,
    limits: document.limits,
    sessions: document.sessions,
    pages: { ...document.pages, logo: resolved.logo },
    records: { ...records, folder: recordsFolder === undefined ? resolve(state, "records") : resolve(folder, recordsFolder) },
    source,
  };
}

async function resolveListener({ value, path }: Entry<ListenDocument>, around: Surroundings): Promise<Outcome<ListenConfig>> {
  const { tls, ...rest } = value;
  if (tls === undefined) return { value: { ...rest, certificates: undefined }, findings: [] };
  // One pair may be written without a list: then its place in the file has no index.
  const outcomes = await Promise.all(
    tls.map((files, index) => readCertificate(files, tls.length === 1 ? [...path, "tls"] : [...path, "tls", index], around)),
  );
  const certificates = outcomes.flatMap((outcome) => (outcome.value === undefined ? [] : [outcome.value]));
  return { value: { ...rest, certificates }, findings: outcomes.flatMap((outcome) => outcome.findings) };
}

async function resolveApplication({ value, path }: Entry<ApplicationDocument>, around: Surroundings): Promise<Outcome<ApplicationConfig>> {
  const { originBasicAuth, clientCertificates: files, ...rest } = value;
  const authority = files && (await readClientAuthority(files, [...path, "clientCertificates"], around));
  const password = originBasicAuth && (await readSecret(originBasicAuth.password, [...path, "originBasicAuth", "password"], around));
  const findings = [...(authority?.findings ?? []), ...(password?.findings ?? [])];
  if ((files !== undefined && authority?.value === undefined) || (originBasicAuth !== undefined && password?.value === undefined))
    return { value: undefined, findings };
  const own = password?.value && originBasicAuth && { user: originBasicAuth.user, password: password.value };
  return { value: { ...rest, originBasicAuth: own, clientCertificates: authority?.value }, findings };
}

async function resolveProvider(
  { value, path }: Entry<IdentityProviderDocument>,
  around: Surroundings,
): Promise<Outcome<IdentityProviderConfig>> {
  if (value.type === "one-time-pin") {
    if (value.smtp === undefined) return { value: { ...value, smtp: undefined }, findings: [] };
    const url = await readSecret(value.smtp.url, [...path, "smtp", "url"], around);
    return { value: url.value && { ...value, smtp: { ...value.smtp, url: url.value } }, findings: url.findings };
  }
  const secret = await readSecret(value.clientSecret, [...path, "clientSecret"], around);
  return { value: secret.value && { ...value, clientSecret: secret.value }, findings: secret.findings };
}

function referencedFiles(survey: Survey): string[] {
  const certificates = survey.entries("listen").flatMap(({ value }) => (value.tls ?? []).flatMap(({ cert, key }) => [cert.file, key.file]));
  const secrets = survey
    .entries("identityProviders")
    .flatMap(({ value }) =>
      value.type === "one-time-pin" ? (value.smtp === undefined ? [] : fileOf(value.smtp.url)) : fileOf(value.clientSecret),
    );
  const others = [survey.section("geoip"), survey.section("pages")?.logo].flatMap((one) => (one === undefined ? [] : [one.file]));
  const passwords = survey
    .entries("applications")
    .flatMap(({ value }) => (value.originBasicAuth === undefined ? [] : fileOf(value.originBasicAuth.password)));
  const authorities = survey
    .entries("applications")
    .flatMap(({ value: { clientCertificates } }) => [...(clientCertificates?.ca ?? []), ...(clientCertificates?.crl ?? [])]);
  return [...certificates, ...secrets, ...passwords, ...authorities.map(({ file }) => file), ...others];
}

function fileOf(source: SecretReference): string[] {
  return "file" in source ? [source.file] : [];
}
