// Who a request comes from, once verified. Nothing unverified ever has this type.

/** A person who signed in with an identity provider. */
export interface PersonIdentity {
  readonly kind: "person";
  /** Provider name in the configuration and its subject: the key of a person, never the email alone. */
  readonly provider: string;
  readonly subject: string;
  /** NFC, domain lower-cased; undefined when the provider gave none that is verified. */
  readonly email: string | undefined;
  readonly name: string | undefined;
  /** Exact group names; undefined when the provider did not say (which is not the same as none). */
  readonly groups: readonly string[] | undefined;
  /** Values of amr (RFC 8176). */
  readonly authMethods: readonly string[] | undefined;
  /** Further claims by name, as the provider sent them. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly sessionId: string;
}

/** A program that presented a valid service token. */
export interface ServiceIdentity {
  readonly kind: "service";
  /** Public id of the token. */
  readonly tokenId: string;
  /** Name of the token in policies. */
  readonly name: string;
}

export type Identity = PersonIdentity | ServiceIdentity;
