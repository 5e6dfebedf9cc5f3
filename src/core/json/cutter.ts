/**
 * The edits that a keyed lane makes in a request body (contract, rules of a lane, 3), as ranges of
 * bytes: nothing is serialised anew, and every byte outside a range stays as the client sent it.
 *
 * Duplicate keys are all edited, so that no upstream reads one that was left, whichever it takes. A
 * value that is not of the expected type stays.
 */
import type { JsonValue } from './scanner.ts';
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
const NOTHING: Buffer = Buffer.alloc(0);
const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const BACKSLASH = 0x5c;

/** Top-level keys whose values an edit may concern. */
export const EDITED_KEYS = ['model', 'metadata', 'system'] as const;
/** Those of them whose values nobody reads who looks for them: where they stand is enough. */
export const PLACED_ONLY: ReadonlySet<string> = new Set(['metadata', 'system']);

/** Where the value of such a key stands in a body, as the scanner has told it. */
export interface Place extends Range {
  readonly key: string;
  readonly kind: JsonValue['kind'];
}

/**
 * The edits that the plan asks for: in order, not overlapping, none where nothing is to change.
 *
 * Null where a string that the edits depend on is not valid: such a body is not to be sent to a lane
 * that edits.
 *
 * @param body one whole JSON object as the scanner reads it, in pieces
 * @param places of all `EDITED_KEYS` in it, duplicates included, in order
 */
export function planEdits(
  body: readonly Buffer[],
  places: readonly Place[],
  plan: EditPlan,
): Edit[] | null {
  const edits: Edit[] = [];
  const pieces = new Pieces(body);
  for (const { key, start, end, kind } of places) {
    if (key === 'model') {
      if (plan.model === null || pieces.bytes(start, start + 1)[0] !== QUOTE) continue;
      edits.push({ start, end, bytes: Buffer.from(JSON.stringify(plan.model)) });
      continue;
    }
    let cuts: Range[] | null = [];
    if (key === 'metadata' && kind === 'object' && plan.dropUserId) {
      cuts = cutUserId(pieces.bytes(start, end));
    } else if (key === 'system' && kind === 'array' && plan.dropAttribution) {
      cuts = cutAttribution(pieces.bytes(start, end));
    }
    if (cuts === null) return null;
    for (const cut of cuts) {
      edits.push({ start: start + cut.start, end: start + cut.end, bytes: NOTHING });
    }
  }
  return edits;
}

/** The body with the edits made: slices of the original, with the new bytes between them. */
export function applyEdits(body: readonly Buffer[], edits: readonly Edit[]): Buffer[] {
  const slices: Buffer[] = [];
  const pieces = new Pieces(body);
  let at = 0;
  for (const { start, end, bytes } of edits) {
    pieces.slice(at, start, slices);
    if (bytes.length > 0) slices.push(bytes);
    at = end;
  }
  pieces.slice(at, Number.POSITIVE_INFINITY, slices);
  return slices;
}

/** Ranges of bytes that lie in pieces, asked for from the front to the back. */
class Pieces {
  readonly #pieces: readonly Buffer[];
  #index = 0;
  /** Bytes before the piece at `#index`. */
  #before = 0;

  constructor(pieces: readonly Buffer[]) {
    this.#pieces = pieces;
  }

  /** Adds what lies in `[start..end)`. */
  slice(start: number, end: number, slices: Buffer[]): void {
    for (;;) {
      const piece = this.#pieces[this.#index];
      if (piece === undefined) return;
      const from = Math.max(0, start - this.#before);
      const to = Math.min(piece.length, end - this.#before);
      if (from < to) slices.push(to - from === piece.length ? piece : piece.subarray(from, to));
      if (this.#before + piece.length > end) return;
      this.#before += piece.length;
      this.#index += 1;
    }
  }

  /** The same in one piece. */
  bytes(start: number, end: number): Buffer {
    const slices: Buffer[] = [];
    this.slice(start, end, slices);
    const [only = NOTHING] = slices;
    return slices.length <= 1 ? only : Buffer.concat(slices);
  }
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
  const text = system.toString('latin1');
  const entries = entriesOf(system, text);
  const doomed = entries.map(() => false);
  for (const [index, { start, end }] of entries.entries()) {
    const found = isAttribution(system.subarray(start, end), text.slice(start, end));
    if (found === null) return null;
    if (!found) continue;
    doomed[index] = true;
    break;
  }
  return cutRuns(entries, doomed);
}

/**
 * True for an object whose `text` (the last, as a parser reads it) is a string that begins so.
 *
 * @param latin1 the same bytes as text
 */
function isAttribution(entry: Buffer, latin1: string): boolean | null {
  if (entry[0] !== OPEN_BRACE) return false;
  let text: Range | null = null;
  for (const { key, value } of membersOf(entry, latin1)) {
    const name = parseString(key);
    if (name === null) return null;
    if (name === 'text') text = value;
  }
  if (text === null || entry[text.start] !== QUOTE) return false;
  return beginsWith(entry.subarray(text.start, text.end), ATTRIBUTION);
}

/** True if a string, given as spelt with its quotes, begins with ASCII; null where it is not valid. */
function beginsWith(quoted: Buffer, ascii: string): boolean | null {
  for (let i = 0; i < ascii.length; i += 1) {
    const byte = quoted[i + 1];
    if (byte === ascii.charCodeAt(i)) continue;
    // Only an escape may be another spelling of the same; to read it the whole must be read.
    if (byte !== BACKSLASH) return false;
    const text = parseString(quoted.toString('utf8'));
    return text === null ? null : text.startsWith(ascii);
  }
  return true;
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
