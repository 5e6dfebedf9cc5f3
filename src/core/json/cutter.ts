/**
 * The edits that a keyed lane makes in a request body (contract, rules of a lane, 3), as ranges of
 * bytes: nothing is serialised anew, and every byte outside a range stays as the client sent it.
 *
 * Duplicate keys are all edited, so that no upstream reads one that was left, whichever it takes. A
 * value that is not of the expected type stays.
 */
import { createKeyScanner, type JsonValue, type WantedKeys, wantKeys } from './scanner.ts';
import { parseString } from './strings.ts';
import { entriesOf, membersOf, type Range } from './walk.ts';

/** What to change in a body. */
export interface EditPlan {
  /** The model id to put in place of the one asked for, or null to leave it. */
  readonly model: string | null;
  /** Remove `user_id` from `metadata`. */
  readonly dropUserId: boolean;
  /** Remove the attribution block: the first `system` entry whose text begins so. */
  readonly dropAttribution: boolean;
}

/** Bytes `[start..end)` of the body give way to `bytes`, which may be empty. */
export interface Edit extends Range {
  readonly bytes: Buffer;
}

const ATTRIBUTION = 'x-anthropic-billing-header:';
/** A character takes at most this many bytes in a JSON text: `\\u0041`. */
const CHARACTER_BYTES_MAX = 6;
const NOTHING = Buffer.alloc(0);
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const BACKSLASH = 0x5c;

/**
 * The edits that the plan asks for: in order, not overlapping, none where nothing is to change.
 *
 * Null where the body is not one whole JSON object as the scanner reads it, or a string that the
 * edits depend on is not valid: such a body is not to be sent to a lane that edits.
 */
export function planEdits(body: Buffer, plan: EditPlan): Edit[] | null {
  const edits: Edit[] = [];
  let sound = true;
  const onValue = (key: string, start: number, end: number, value: JsonValue): void => {
    const bytes = body.subarray(start, end);
    if (key === 'model') {
      if (plan.model !== null && bytes[0] === QUOTE) {
        edits.push({ start, end, bytes: Buffer.from(JSON.stringify(plan.model)) });
      }
      return;
    }
    let cuts: Range[] | null = [];
    if (key === 'metadata' && value.kind === 'object') cuts = cutUserId(bytes);
    if (key === 'system' && value.kind === 'array') cuts = cutAttribution(bytes);
    if (cuts === null) sound = false;
    for (const cut of cuts ?? []) {
      edits.push({ start: start + cut.start, end: start + cut.end, bytes: NOTHING });
    }
  };
  const scanner = createKeyScanner(editedKeys(plan), { onValue });
  scanner.push(body);
  return scanner.finish().complete && sound ? edits : null;
}

/** The body with the edits made: slices of the original, with the new bytes between them. */
export function applyEdits(body: Buffer, edits: readonly Edit[]): Buffer[] {
  const slices: Buffer[] = [];
  let at = 0;
  for (const { start, end, bytes } of edits) {
    if (start > at) slices.push(body.subarray(at, start));
    if (bytes.length > 0) slices.push(bytes);
    at = end;
  }
  if (at < body.length) slices.push(body.subarray(at));
  return slices;
}

const ALL_EDIT_KEYS = wantKeys('model', 'metadata', 'system');

function editedKeys(plan: EditPlan): WantedKeys {
  // As it is by default.
  if (plan.model !== null && plan.dropUserId && plan.dropAttribution) return ALL_EDIT_KEYS;
  const keys: string[] = [];
  if (plan.model !== null) keys.push('model');
  if (plan.dropUserId) keys.push('metadata');
  if (plan.dropAttribution) keys.push('system');
  return wantKeys(...keys);
}

/** What to cut from a `metadata` object; null where a key can not be read. */
function cutUserId(metadata: Buffer): Range[] | null {
  const members = membersOf(metadata);
  const doomed: boolean[] = [];
  for (const { key } of members) {
    const name = parseString(key);
    if (name === null) return null;
    doomed.push(name === 'user_id');
  }
  return cutRuns(members, doomed);
}

/** What to cut from a `system` array; null where a key or text can not be read. */
function cutAttribution(system: Buffer): Range[] | null {
  const entries = entriesOf(system);
  const doomed = entries.map(() => false);
  for (const [index, { start, end }] of entries.entries()) {
    const found = isAttribution(system.subarray(start, end));
    if (found === null) return null;
    if (!found) continue;
    doomed[index] = true;
    break;
  }
  return cutRuns(entries, doomed);
}

/** True for an object whose `text` (the last, as a parser reads it) is a string that begins so. */
function isAttribution(entry: Buffer): boolean | null {
  if (entry[0] !== OPEN_BRACE) return false;
  let text: Range | null = null;
  for (const { key, value } of membersOf(entry)) {
    const name = parseString(key);
    if (name === null) return null;
    if (name === 'text') text = value;
  }
  if (text === null || entry[text.start] !== QUOTE) return false;
  return beginsWith(entry.subarray(text.start, text.end), ATTRIBUTION);
}

/** True if a string, given as spelt with its quotes, begins with ASCII; null where it is not valid. */
function beginsWith(quoted: Buffer, ascii: string): boolean | null {
  const opening = quoted.subarray(1, 1 + ascii.length * CHARACTER_BYTES_MAX);
  if (!opening.includes(BACKSLASH)) return opening.toString('latin1', 0, ascii.length) === ascii;
  const text = parseString(quoted.toString('utf8'));
  return text === null ? null : text.startsWith(ascii);
}

/**
 * The ranges to cut so that the doomed items go and the rest stays valid: each run of them goes with
 * the comma before it or, at the front, with the one behind it.
 */
function cutRuns(items: readonly Range[], doomed: readonly boolean[]): Range[] {
  const cuts: Range[] = [];
  let i = 0;
  while (i < items.length) {
    if (doomed[i] !== true) {
      i += 1;
      continue;
    }
    let next = i + 1;
    while (next < items.length && doomed[next] === true) next += 1;
    const before = items[i - 1];
    const after = items[next];
    const first = items[i] as Range;
    const last = items[next - 1] as Range;
    if (before !== undefined) cuts.push({ start: before.end, end: last.end });
    else cuts.push({ start: first.start, end: after === undefined ? last.end : after.start });
    i = next;
  }
  return cuts;
}
