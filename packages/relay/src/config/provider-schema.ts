// Section identityProviders of relay.yaml: where people's identities come from. Must not know how a sign-in runs.

import { normaliseDomain, normaliseEmail } from "@sallyport/shared/names";
import { z } from "zod";
import { OIDC_PRESETS } from "./provider-presets.ts";
import type { OidcAlgorithm, OidcPreset, SmtpConfig } from "./types.ts";
import { name, secretReference, textValue, type SecretReference } from "./values.ts";

export interface OidcProviderDocument {
  readonly type: "oidc";
  readonly name: string;
  readonly label: string;
  readonly preset: OidcPreset | undefined;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: SecretReference;
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
  readonly algorithms: readonly OidcAlgorithm[];
  readonly emailVerified: "required" | "assumed";
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly allowPrivateNetwork: boolean;
}

export interface GithubProviderDocument {
  readonly type: "github";
  readonly name: string;
  readonly label: string;
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: SecretReference;
  readonly allowPrivateNetwork: boolean;
}

export interface OneTimePinProviderDocument {
  readonly type: "one-time-pin";
  readonly name: string;
  readonly label: string;
  readonly delivery: "mail" | "terminal";
  readonly smtp: (Omit<SmtpConfig, "url"> & { readonly url: SecretReference }) | undefined;
  readonly recipients: readonly string[] | undefined;
}

export type IdentityProviderDocument = OidcProviderDocument | GithubProviderDocument | OneTimePinProviderDocument;

const issuer = textValue(
  (text) => (URL.canParse(text) && /^https:\/\/[^/?#@\s]+(?:\/[^?#\s]*)?$/.test(text) ? text : undefined),
  "expected the issuer's https URL",
  {
    remedy: "write the value of `issuer` from the provider's discovery document, exactly, for example https://idp.example.com",
    kind: "URL",
  },
);

const githubUrl = textValue(
  (text) => (URL.canParse(text) && /^https:\/\/[^/?#@\s]+\/?$/.test(text) ? new URL(text).origin : undefined),
  "expected the https URL of GitHub or a GitHub Enterprise Server",
  { remedy: "write scheme and host name, for example https://github.example.com", kind: "URL" },
);

const mailAddress = textValue(
  (text) => (/^[^\s@<>,;:"()[\]\\]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(text) ? text : undefined),
  "expected a mail address",
  { remedy: "write one address without a display name, for example door@example.com", kind: "mail address" },
);

const recipient = textValue((text) => normaliseEmail(text) ?? normaliseDomain(text), "expected a mail address or a mail domain", {
  remedy: "write ann@example.com for one person, or example.com for everybody at a domain",
  kind: "mail address or domain",
});

const providerName = name.meta({
  description:
    "Name of the provider in policies, URLs and the audit record; together with the provider's subject it identifies a person, so do not rename it. The redirect URI to register is `<authUrl>/callback/<name>`.",
  examples: ["corp"],
});
const label = textValue(
  (text) => (/^[^\p{C}\p{Zl}\p{Zp}]{1,60}$/u.test(text) && text.trim() === text ? text : undefined),
  "expected a short text",
  {
    remedy: "write 1 to 60 characters on one line",
  },
)
  .optional()
  .meta({
    description: "What the sign-in page calls the provider. Default: a name by preset or type, else `name`.",
    examples: ["Example Inc."],
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
const allowPrivateNetwork = z.boolean().prefault(false).meta({
  description:
    "Whether the provider may have private, loopback or otherwise non-public addresses. Off: connections to such addresses are refused.",
});

/** The relay sets these itself; an option must not take them away (R-F3). */
const OWN_PARAMETERS = [
  "client_id",
  "client_secret",
  "code_challenge",
  "code_challenge_method",
  "nonce",
  "redirect_uri",
  "request",
  "request_uri",
  "response_mode",
  "response_type",
  "scope",
  "state",
];

const oidc = z
  .strictObject({
    type: z.literal("oidc").meta({ description: "`oidc`: any OpenID Connect provider, found by discovery." }),
    name: providerName,
    label,
    preset: z
      .enum(Object.keys(OIDC_PRESETS) as [OidcPreset, ...OidcPreset[]])
      .optional()
      .meta({
        description:
          "Built-in knowledge of a provider: its issuer where there is only one, scopes, groups. See docs/identity-providers.md.",
        examples: ["entra"],
      }),
    issuer: issuer.optional().meta({
      description:
        "Issuer URL, exactly as in the provider's discovery document. Required, except with the presets `google` and `gitlab`, which know theirs.",
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
      .optional()
      .meta({
        description: "Scopes to ask for; `openid` must be among them. Default: `openid`, `profile`, `email`, and what the preset adds.",
      }),
    groupsClaim: z.string().min(1).max(256).optional().meta({
      description:
        "Claim that lists a person's groups; where no claim has this name, its dots lead into objects (`realm_access.roles`). Default: `groups`, or that of the preset.",
    }),
    algorithms: z
      .array(z.enum(["RS256", "PS256", "ES256", "EdDSA"]))
      .min(1)
      .max(4)
      .prefault(["RS256", "PS256", "ES256", "EdDSA"])
      .meta({ description: "Signature algorithms of ID tokens and logout tokens that are accepted." }),
    emailVerified: z.enum(["required", "assumed"]).prefault("required").meta({
      description:
        "`required`: an email counts only when the provider calls it verified. `assumed`: it counts always; only for providers where nobody can enter somebody else's address.",
    }),
    authorizationParameters: z
      .record(z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/), z.string().max(512))
      .refine(
        (parameters) => Object.keys(parameters).length <= 16 && !Object.keys(parameters).some((key) => OWN_PARAMETERS.includes(key)),
        {
          error: "at most 16 parameters, and none that the relay sets itself",
          params: { remedy: `remove what is among ${OWN_PARAMETERS.join(", ")}` },
        },
      )
      .prefault({})
      .meta({
        description: "Further parameters of the authorization request, such as `prompt`.",
        examples: [{ prompt: "select_account" }],
      }),
    allowPrivateNetwork,
  })
  .transform((value, context): OidcProviderDocument => {
    const preset = value.preset === undefined ? undefined : OIDC_PRESETS[value.preset];
    const found = value.issuer ?? preset?.issuer;
    const problem = found === undefined ? "the issuer is missing" : preset?.refuseIssuer?.(found);
    if (found === undefined || problem !== undefined) {
      const remedy = preset?.issuerRemedy ?? "write the provider's issuer URL";
      context.issues.push({
        code: "custom",
        message: problem ?? "the issuer is missing",
        params: { remedy },
        path: ["issuer"],
        input: value,
      });
      return z.NEVER;
    }
    return {
      ...value,
      label: value.label ?? preset?.label ?? value.name,
      preset: value.preset,
      issuer: found,
      scopes: value.scopes ?? preset?.scopes ?? ["openid", "profile", "email"],
      groupsClaim: value.groupsClaim ?? preset?.groupsClaim ?? "groups",
    };
  });

const github = z
  .strictObject({
    type: z.literal("github").meta({ description: "`github`: GitHub, with organisations and teams as groups." }),
    name: providerName,
    label,
    url: githubUrl.prefault("https://github.com").meta({
      description: "GitHub, or a GitHub Enterprise Server.",
      examples: ["https://github.example.com"],
    }),
    clientId,
    clientSecret,
    allowPrivateNetwork,
  })
  .transform((value): GithubProviderDocument => ({ ...value, label: value.label ?? "GitHub" }));

const smtp = z.strictObject({
  url: secretReference.meta({
    description: "SMTP URL with user and password, for example smtps://user:password@mail.example.com.",
    examples: [{ env: "SMTP_URL" }],
  }),
  from: mailAddress.meta({ description: "Sender address of the mails.", examples: ["door@example.com"] }),
  tls: z.enum(["required", "if-offered"]).prefault("required").meta({
    description:
      "`required`: no code is sent over a connection without TLS (smtps, or STARTTLS with smtp); mail servers on loopback are exempt. `if-offered`: codes may cross the network in the clear.",
  }),
});

const oneTimePin = z
  .strictObject({
    type: z.literal("one-time-pin").meta({ description: "`one-time-pin`: a code sent by mail, valid for 10 minutes." }),
    name: providerName,
    label,
    delivery: z.enum(["mail", "terminal"]).prefault("mail").meta({
      description:
        "`mail`: codes are sent through `smtp`. `terminal`: codes are printed where the relay runs, for trying things out with an http authUrl on loopback.",
    }),
    smtp: smtp.optional().meta({ description: "Mail server that sends the codes; required with delivery `mail`." }),
    recipients: z
      .array(recipient)
      .min(1)
      .max(1000)
      .optional()
      .meta({
        description:
          "Mail addresses and mail domains that codes are sent to; the page says the same to all others. Default: every address, so that strangers can make the relay send mail to anybody.",
        examples: [["example.com", "ann@example.org"]],
      }),
  })
  .transform((value, context): OneTimePinProviderDocument => {
    if ((value.delivery === "mail") === (value.smtp !== undefined))
      return { ...value, label: value.label ?? "Code by mail", smtp: value.smtp, recipients: value.recipients };
    const message = value.smtp === undefined ? "the mail server is missing" : "delivery terminal sends no mail";
    const remedy = value.smtp === undefined ? "add smtp, with url and from" : "remove smtp, or write delivery: mail";
    context.issues.push({ code: "custom", message, params: { remedy }, path: ["smtp"], input: value });
    return z.NEVER;
  });

export const identityProvidersSchema: z.ZodType<readonly IdentityProviderDocument[]> = z
  .array(z.discriminatedUnion("type", [oidc, github, oneTimePin]))
  .max(50)
  .prefault([])
  .meta({ description: "Where people sign in. With one provider sign-in goes straight there; with several a page lets people choose." });
