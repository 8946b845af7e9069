// Section identityProviders of relay.yaml: where people's identities come from. Must not know how a sign-in runs.

import { z } from "zod";
import { name, secretReference, textValue, type SecretReference } from "./values.ts";

export interface OidcProviderDocument {
  readonly type: "oidc";
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: SecretReference;
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
}

export interface GithubProviderDocument {
  readonly type: "github";
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: SecretReference;
}

export interface OneTimePinProviderDocument {
  readonly type: "one-time-pin";
  readonly name: string;
  readonly smtp: { readonly url: SecretReference; readonly from: string };
}

export type IdentityProviderDocument = OidcProviderDocument | GithubProviderDocument | OneTimePinProviderDocument;

const issuer = textValue(
  (text) => (URL.canParse(text) && /^https:\/\/[^/?#@\s]+(?:\/[^?#\s]*)?$/.test(text) ? text : undefined),
  "expected the issuer's https URL",
  { remedy: "write the value of `issuer` from the provider's discovery document, exactly, for example https://idp.example.com" },
);

const mailAddress = textValue(
  (text) => (/^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(text) ? text : undefined),
  "expected a mail address",
  { remedy: "write one address without a display name, for example door@example.com" },
);

const providerName = name.meta({
  description:
    "Name of the provider in policies, URLs and the audit record; together with the provider's subject it identifies a person, so do not rename it.",
  examples: ["corp"],
});
const clientId = z
  .string()
  .min(1)
  .max(1024)
  .meta({ description: "Client id that the provider gave this relay.", examples: ["sallyport"] });
const clientSecret = secretReference.meta({
  description: "Client secret that the provider gave this relay.",
  examples: [{ env: "CORP_SECRET" }],
});

const oidc = z.strictObject({
  type: z.literal("oidc").meta({ description: "`oidc`: any OpenID Connect provider, found by discovery." }),
  name: providerName,
  issuer: issuer.meta({
    description: "Issuer URL, exactly as in the provider's discovery document.",
    examples: ["https://idp.example.com"],
  }),
  clientId,
  clientSecret,
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/))
    .min(1)
    .max(32)
    .refine((scopes) => scopes.includes("openid"), {
      error: "the list must contain openid",
      params: { remedy: "add openid: without it the provider sends no ID token" },
    })
    .prefault(["openid", "profile", "email"])
    .meta({ description: "Scopes to ask for; `openid` must be among them." }),
  groupsClaim: z.string().min(1).max(256).prefault("groups").meta({ description: "Claim that lists a person's groups." }),
});

const github = z.strictObject({
  type: z.literal("github").meta({ description: "`github`: GitHub, with organisations and teams as groups." }),
  name: providerName,
  clientId,
  clientSecret,
});

const smtp = z.strictObject({
  url: secretReference.meta({
    description: "SMTP URL with user and password, for example smtps://user:password@mail.example.com.",
    examples: [{ env: "SMTP_URL" }],
  }),
  from: mailAddress.meta({ description: "Sender address of the mails.", examples: ["door@example.com"] }),
});

const oneTimePin = z.strictObject({
  type: z.literal("one-time-pin").meta({ description: "`one-time-pin`: a code sent by mail, valid for 10 minutes." }),
  name: providerName,
  smtp: smtp.meta({ description: "Mail server that sends the codes." }),
});

export const identityProvidersSchema: z.ZodType<readonly IdentityProviderDocument[]> = z
  .array(z.discriminatedUnion("type", [oidc, github, oneTimePin]))
  .max(50)
  .prefault([])
  .meta({
    description:
      "Where people sign in. Checked in this release; signing in itself arrives with the next one, until then only service tokens identify a caller.",
  });
