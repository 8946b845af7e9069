// How an operator's pages look, as the relay runs on it. Data only; pages/ makes pages of it.

/** An image that was read and proved to be one. */
export interface LogoConfig {
  readonly type: "image/svg+xml" | "image/png";
  /** The file's content. */
  readonly base64: string;
}

export interface PagesConfig {
  /** Who runs this, as visitors know them. */
  readonly name: string;
  /** Undefined: Sallyport's own mark. */
  readonly logo: LogoConfig | undefined;
  /** `#rrggbb`, readable on the light pages; undefined: Sallyport's own. */
  readonly accent: string | undefined;
  /** mailto: or https: address. */
  readonly contact: string | undefined;
  /** Plain text, in the operator's words. */
  readonly texts: {
    readonly signIn: string | undefined;
    readonly denied: string | undefined;
    readonly footer: string | undefined;
  };
}
