// Exit codes of `sallyport`: part of its interface, listed in --help and docs/connect.md.

export const ExitCode = {
  /** It did what was asked, or ended after SIGTERM or SIGINT. */
  OK: 0,
  /** Something failed that may work at another time. */
  FAILED: 1,
  /** The command line, the configuration or the credential file cannot be used as they are. */
  USAGE: 2,
  /** The relay refuses this connector for good: revoked or unknown credential, hostname not granted, other version. */
  REFUSED: 3,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export const EXIT_CODE_HELP = `
Exit codes:
  0  done, or ended by SIGTERM or SIGINT
  1  failed; the same command may work at another time
  2  command line, configuration or credential file cannot be used as they are
  3  refused by the relay for good (credential revoked or unknown, hostname not granted, other version)`;
