/**
 * Field names as the strings they were last time. The same few spellings come with every message, and
 * whoever looks a name up finds it by identity then: no string is made, hashed or compared anew.
 */
import { isAscii } from '../ascii.ts';
import { FIELD_NAME_CHARS_MAX } from '../limits.ts';

/** A power of two, for the mask below. */
const SLOTS = 1024;

/** One name a slot; the latest of those that share one stays. */
const names: string[] = new Array<string>(SLOTS).fill('');

/**
 * The name that stands in `bytes[from..to)`.
 *
 * @param mix any number made of the bytes, which spreads the names over the slots
 */
export function nameOf(bytes: Buffer, from: number, to: number, mix: number): string {
  const slot = mix & (SLOTS - 1);
  const known = names[slot] as string;
  if (isAscii(known, bytes, from, to)) return known;
  const name = bytes.toString('latin1', from, to);
  if (name.length <= FIELD_NAME_CHARS_MAX) names[slot] = name;
  return name;
}
