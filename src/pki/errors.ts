/**
 * What can be wrong with the local certificate authority, as a type. A message names the file and
 * the mend and never holds key material.
 */

/** Stable codes of `PkiError`. */
export type PkiErrorCode =
  /** The host list is empty, too long, or holds something that is not a plain DNS name. */
  | 'bad_hosts'
  /** Others than the owner may read or write what they must not. */
  | 'loose_mode'
  /** A file or the folder belongs to another user. */
  | 'foreign_owner'
  /** A file is there but is not what it should be. */
  | 'damaged'
  /** Some of the three files are missing. */
  | 'incomplete'
  /** The files are sound one by one but do not belong together. */
  | 'mismatch'
  /** A file or the folder cannot be read. */
  | 'unreadable'
  /** A file or the folder cannot be written. */
  | 'unwritable'
  /** Another process holds the lock for longer than any minting takes. */
  | 'locked';

/** A fault of the certificate store; `message` says which file and what to do. */
export class PkiError extends Error {
  override readonly name = 'PkiError';
  readonly code: PkiErrorCode;
  constructor(code: PkiErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The `code` of an error of the operating system, or null. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}
