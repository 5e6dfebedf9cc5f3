/**
 * The tap of an event stream, read as the WHATWG HTML standard section 9.2.6 interprets one: lines
 * end in LF, CRLF or CR, a leading byte order mark is passed over, an event is dispatched by a blank
 * line if it has data, and what is not dispatched at the end is none.
 *
 * Pieces may be cut anywhere. Only the data of the events that the ledger wants are kept and parsed
 * (`message_start`, `message_delta`, `error`); of all others the tap sees no more than where their
 * lines end. An event without a name is known by the `type` in its data.
 */
import { Keeper } from '../json/keeper.ts';
import { TAP_LINE_BYTES_MAX } from '../limits.ts';
import {
  type AnswerFacts,
  type AnswerTap,
  emptyFacts,
  member,
  parseJson,
  readError,
  readModel,
  readUsage,
} from './facts.ts';
import { EVENT, eventKind, StreamGrammar } from './grammar.ts';

export type { AnswerFacts, AnswerTap, TokenUsage } from './facts.ts';

/** A tap for `text/event-stream`. */
export function createSseTap(): AnswerTap {
  return new SseTap();
}

const LF = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;
const LETTER_D = 0x64;
const LETTER_E = 0x65;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const MARK_TEXT = BYTE_ORDER_MARK.toString('latin1');
/** `data: `, which a kept line has in front of its value; as long as `event:`. */
const DATA_PREFIX_BYTES = 6;
/** Kept of a line whose data are not wanted: enough for its field and any name that is known. */
const LINE_OPENING_BYTES_MAX = 64;

class SseTap implements AnswerTap {
  readonly #facts = emptyFacts();
  readonly #grammar = new StreamGrammar();

  /** Bytes of the byte order mark that are passed, or its length once there can be none. */
  #marked = 0;
  /** The last byte was a CR: a LF that follows belongs to it. */
  #afterCr = false;

  /** A line is under way that began in an earlier piece; `#line` keeps it, `#opening` its first bytes. */
  #inLine = false;
  readonly #line = new Keeper();
  #opening = '';

  /** The event under way. */
  #kind: number = EVENT.UNNAMED;
  #hasData = false;
  /** Its data so far, as far as they are wanted. */
  #data = '';
  #dataBytes = 0;
  /** Data of it were not kept. */
  #skipped = false;

  push(data: Buffer): void {
    let at = this.#marked < BYTE_ORDER_MARK.length ? this.#skipMark(data) : 0;
    if (this.#afterCr && at < data.length) {
      this.#afterCr = false;
      if (data[at] === LF) at += 1;
    }
    if (at < data.length) this.#readLines(data, at);
  }

  #readLines(data: Buffer, from: number): void {
    const length = data.length;
    const text = data.toString('latin1');
    let at = from;
    let lf = from - 1;
    let cr = from - 1;
    while (at < length) {
      if (lf < at) lf = indexOrEnd(text, '\n', at);
      if (cr < at) cr = indexOrEnd(text, '\r', at);
      const end = lf < cr ? lf : cr;
      if (end === length) {
        this.#keepLine(data, text, at);
        return;
      }
      if (this.#inLine) this.#resumeLine(data, text, at, end);
      else this.#readLine(data, text, at, end);
      at = end + 1;
      if (end === cr && lf === at) at += 1;
    }
    this.#afterCr = cr === length - 1;
  }

  finish(): AnswerFacts {
    return {
      ...this.#facts,
      violations: this.#facts.violations + this.#grammar.problems,
    };
  }

  /** The piece ends within a line: keeps as much of it as may be wanted. */
  #keepLine(data: Buffer, text: string, at: number): void {
    if (!this.#inLine) this.#beginLine();
    this.#addToLine(data, text, at, data.length);
  }

  #beginLine(): void {
    this.#inLine = true;
    this.#opening = '';
    const wanted = wantsData(this.#kind);
    this.#line.begin(wanted ? TAP_LINE_BYTES_MAX + DATA_PREFIX_BYTES : LINE_OPENING_BYTES_MAX);
  }

  #addToLine(data: Buffer, text: string, at: number, end: number): void {
    const missing = DATA_PREFIX_BYTES - this.#opening.length;
    if (missing > 0) this.#opening += text.slice(at, Math.min(end, at + missing));
    this.#line.add(data, at, end);
  }

  #resumeLine(data: Buffer, text: string, at: number, end: number): void {
    this.#inLine = false;
    this.#addToLine(data, text, at, end);
    if (!this.#line.overflowed) {
      const line = this.#line.bytes();
      this.#readLine(line, line.toString('latin1'), 0, line.length);
    } else if (this.#opening.startsWith('data:')) {
      this.#dropData();
    } else if (this.#opening.startsWith('event:')) {
      this.#kind = EVENT.OTHER;
    }
  }

  /** One whole line, without its end: `text` are the same bytes as latin1. */
  #readLine(bytes: Buffer, text: string, from: number, to: number): void {
    if (from === to) {
      if (this.#hasData) this.#dispatch();
      this.#kind = EVENT.UNNAMED;
      return;
    }
    const letter = bytes[from];
    if (letter === LETTER_D && text.startsWith('data', from)) {
      const value = valueStart(bytes, from + 4, to);
      if (value >= 0) this.#dataLine(bytes, value, to);
    } else if (letter === LETTER_E && text.startsWith('event', from)) {
      const value = valueStart(bytes, from + 5, to);
      if (value >= 0) this.#kind = eventKind(text, value, to);
    }
  }

  #dataLine(bytes: Buffer, from: number, to: number): void {
    if (!wantsData(this.#kind) || this.#skipped) {
      this.#hasData = true;
      this.#skipped = true;
      return;
    }
    this.#dataBytes += to - from + (this.#hasData ? 1 : 0);
    if (this.#dataBytes > TAP_LINE_BYTES_MAX) {
      this.#dropData();
      return;
    }
    const value = bytes.toString('utf8', from, to);
    this.#data = this.#hasData ? `${this.#data}\n${value}` : value;
    this.#hasData = true;
  }

  /** The event's data are too long to keep: they are lost if it turns out that they are wanted. */
  #dropData(): void {
    this.#hasData = true;
    this.#skipped = true;
    this.#data = '';
  }

  /** A blank line after data: the event is complete. */
  #dispatch(): void {
    this.#facts.events += 1;
    let kind = this.#kind;
    let value: unknown;
    if (wantsData(kind)) {
      if (this.#skipped) this.#facts.lost = true;
      else value = parseJson(this.#data);
      if (kind === EVENT.UNNAMED) kind = kindByType(value);
      else if (value === undefined && !this.#skipped) this.#facts.violations += 1;
    }
    this.#grammar.see(kind);
    if (kind === EVENT.MESSAGE_START) this.#messageStart(value);
    else if (kind === EVENT.MESSAGE_DELTA) readUsage(this.#facts, member(value, 'usage'));
    else if (kind === EVENT.MESSAGE_STOP) this.#facts.sawStop = true;
    else if (kind === EVENT.ERROR) readError(this.#facts, value);
    this.#hasData = false;
    this.#data = '';
    this.#dataBytes = 0;
    this.#skipped = false;
  }

  #messageStart(value: unknown): void {
    const message = member(value, 'message');
    readModel(this.#facts, member(message, 'model'));
    readUsage(this.#facts, member(message, 'usage'));
  }

  #skipMark(data: Buffer): number {
    let at = 0;
    while (at < data.length && this.#marked < BYTE_ORDER_MARK.length) {
      if (data[at] === BYTE_ORDER_MARK[this.#marked]) {
        this.#marked += 1;
        at += 1;
        continue;
      }
      // What looked like a mark is the beginning of a line, of no field that is known.
      if (this.#marked > 0) {
        this.#beginLine();
        this.#addToLine(BYTE_ORDER_MARK, MARK_TEXT, 0, this.#marked);
      }
      this.#marked = BYTE_ORDER_MARK.length;
    }
    return at;
  }
}

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? text.length : index;
}

/** Where the value of a field begins whose name ends before `at`; -1 where the name goes on. */
function valueStart(bytes: Buffer, at: number, to: number): number {
  if (at === to) return to;
  if (bytes[at] !== COLON) return -1;
  return at + 1 < to && bytes[at + 1] === SPACE ? at + 2 : at + 1;
}

function wantsData(kind: number): boolean {
  return (
    kind === EVENT.UNNAMED ||
    kind === EVENT.MESSAGE_START ||
    kind === EVENT.MESSAGE_DELTA ||
    kind === EVENT.ERROR
  );
}

/** The kind of an event without a name. One that holds nothing but an `error` is an error too. */
function kindByType(value: unknown): number {
  const type = member(value, 'type');
  if (typeof type === 'string') {
    const kind = eventKind(type, 0, type.length);
    return kind === EVENT.UNNAMED ? EVENT.OTHER : kind;
  }
  const error = member(value, 'error');
  return typeof error === 'object' && error !== null ? EVENT.ERROR : EVENT.OTHER;
}
