/**
 * Node 26.10 has a fault that would spoil the process for every later case: once `JSON.parse` has read
 * a key that is one backslash, it takes keys of one escaped character for it. Inputs that hold such a
 * key are passed over; `src/core/json/testing/texts.ts` does the same.
 */

const LONE_BACKSLASH = /"(?:\\\\|\\u005[cC])"/;

/** True for bytes that must not come near `JSON.parse`. */
export function spoilsJsonParse(bytes: Buffer): boolean {
  return LONE_BACKSLASH.test(bytes.toString('latin1'));
}
