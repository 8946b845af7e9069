// The part of oidc-provider that the tests use; the package has no types of its own.

declare module "oidc-provider" {
  import type { IncomingMessage, ServerResponse } from "node:http";

  export interface Client {
    grantTypeAllowed(type: string): boolean;
    backchannelLogout(subject: string, sessionId: string): Promise<void>;
  }
  export interface Account {
    readonly accountId: string;
    claims(): Promise<Readonly<Record<string, unknown>>>;
  }
  export interface Configuration {
    readonly findAccount?: (context: unknown, subject: string) => Account | undefined;
    readonly issueRefreshToken?: (context: unknown, client: Client) => Promise<boolean>;
    readonly fetch?: typeof globalThis.fetch;
    readonly [option: string]: unknown;
  }
  export default class Provider {
    constructor(issuer: string, configuration: Configuration);
    readonly Client: { find(id: string): Promise<Client | undefined> };
    once(event: "authorization.success", listener: () => void): void;
    use(middleware: (context: { readonly body: unknown }, next: () => Promise<void>) => Promise<void>): void;
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  }
}
