/**
 * Refusals as values: what the pieces of the codec return instead of throwing.
 *
 * A detail names the rule and its RFC section, never the refused bytes: they may hold a credential.
 */
import type { CodecError, CodecErrorCode } from './types.ts';

/** Makes a refusal. */
export function refuse(code: CodecErrorCode, detail: string): CodecError {
  return { code, detail };
}

/** Tells a refusal from a result. Results of the codec never have a member `code`. */
export function isRefusal(result: object): result is CodecError {
  return 'code' in result;
}
