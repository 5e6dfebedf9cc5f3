/**
 * Reads HTTP/1 messages as the far ends of the simulation see them: the judge's own reader, written
 * after RFC 9112 without a line of `core/http1`. It trusts nobody: what it can not read is a defect of
 * whoever sent it.
 */

export type WireField = readonly [name: string, value: string];

export interface WireHead {
  readonly start: string;
  readonly fields: readonly WireField[];
}

export interface WireEvents {
  onHead(head: WireHead): void;
  onPayload(bytes: Buffer): void;
  /** The message is complete. The owner may call `next` from within. */
  onDone(): void;
  /** The bytes are no HTTP. */
  onBad(why: string): void;
}

type State =
  | 'head'
  | 'sized'
  | 'size'
  | 'chunk'
  | 'chunk-end'
  | 'trailer'
  | 'open'
  | 'done'
  | 'bad';

const EMPTY = Buffer.alloc(0);
const CRLF = '\r\n';

export class WireReader {
  state: State = 'head';
  readonly #isAnswer: boolean;
  readonly #events: WireEvents;
  #method = '';
  #kept: Buffer = EMPTY;
  #left = 0;

  constructor(kind: 'request' | 'answer', events: WireEvents) {
    this.#isAnswer = kind === 'answer';
    this.#events = events;
  }

  /** Bytes of the message have come, and its end has not. */
  get isPartial(): boolean {
    return this.state !== 'done' && (this.state !== 'head' || this.#kept.length > 0);
  }

  /** Begins the next message; for an answer, that to a request with this method. */
  next(method: string): void {
    this.#method = method;
    this.state = 'head';
    const kept = this.#kept;
    this.#kept = EMPTY;
    if (kept.length > 0) this.feed(kept);
  }

  feed(bytes: Buffer): void {
    let rest = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    this.#kept = EMPTY;
    for (;;) {
      const before = this.state;
      const left = this.#read(rest);
      if (left === null) {
        this.#kept = rest;
        return;
      }
      rest = left;
      if (this.state === 'done' && before !== 'done') {
        this.#kept = rest;
        this.#events.onDone();
        return;
      }
    }
  }

  /** FIN has come: true where it is the end of a whole message, or comes between two. */
  finish(): boolean {
    if (this.state === 'open') {
      this.state = 'done';
      return true;
    }
    return !this.isPartial;
  }

  /** What is left after one part of the message, or null where more must come. */
  #read(bytes: Buffer): Buffer | null {
    switch (this.state) {
      case 'head':
        return this.#readHead(bytes);
      case 'sized':
      case 'chunk':
        return this.#readSized(bytes);
      case 'open':
        if (bytes.length > 0) this.#events.onPayload(bytes);
        this.#kept = EMPTY;
        return bytes.length > 0 ? EMPTY : null;
      case 'size':
        return this.#line(bytes, (line) => {
          if (!/^[0-9a-f]+(;.*)?$/i.test(line)) return this.#bad(`chunk size ${line.slice(0, 20)}`);
          this.#left = Number.parseInt(line, 16);
          this.state = this.#left === 0 ? 'trailer' : 'chunk';
        });
      case 'chunk-end':
        return this.#line(bytes, (line) => {
          if (line !== '') return this.#bad('no line end behind a chunk');
          this.state = 'size';
        });
      case 'trailer':
        return this.#line(bytes, (line) => {
          if (line === '') this.state = 'done';
        });
      case 'done':
      case 'bad':
        return null;
    }
  }

  #readSized(bytes: Buffer): Buffer | null {
    if (bytes.length === 0 && this.#left > 0) return null;
    const piece = bytes.subarray(0, this.#left);
    this.#left -= piece.length;
    if (piece.length > 0) this.#events.onPayload(piece);
    if (this.#left === 0) this.state = this.state === 'chunk' ? 'chunk-end' : 'done';
    return bytes.subarray(piece.length);
  }

  #line(bytes: Buffer, use: (line: string) => void): Buffer | null {
    const end = bytes.indexOf(CRLF);
    if (end < 0) return null;
    use(bytes.toString('latin1', 0, end));
    return bytes.subarray(end + CRLF.length);
  }

  #readHead(bytes: Buffer): Buffer | null {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return null;
    const [start = '', ...lines] = bytes.toString('latin1', 0, end).split(CRLF);
    const fields = lines.map((line): WireField => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    const isWellFormed = this.#isAnswer
      ? /^HTTP\/1\.[01] \d{3} /.test(start)
      : /^[^ ]+ [^ ]+ HTTP\/1\.1$/.test(start);
    if (isWellFormed) this.#begin(start, fields);
    else this.#bad(`start line ${start.slice(0, 40)}`);
    if (this.state !== 'bad') this.#events.onHead({ start, fields });
    return bytes.subarray(end + 4);
  }

  #begin(start: string, fields: readonly WireField[]): void {
    const coding = wireValue(fields, 'transfer-encoding');
    const length = wireValue(fields, 'content-length');
    if (coding !== undefined && length !== undefined) {
      this.#bad('two lengths');
      return;
    }
    if (this.#isAnswer) {
      const status = Number(start.slice(9, 12));
      if (status === 101) {
        this.state = 'open';
        return;
      }
      // An interim answer: the head of the next one follows.
      if (status < 200) return;
      if (status === 204 || status === 304 || this.#method === 'HEAD') {
        this.state = 'done';
        return;
      }
    }
    this.#left = length === undefined ? 0 : Number(length);
    if (coding !== undefined) this.state = 'size';
    else if (length !== undefined) this.state = this.#left === 0 ? 'done' : 'sized';
    else this.state = this.#isAnswer ? 'open' : 'done';
  }

  #bad(why: string): void {
    this.state = 'bad';
    this.#events.onBad(why);
  }
}

/** The first value of that name, given in lower case. */
export function wireValue(fields: readonly WireField[], name: string): string | undefined {
  return fields.find(([given]) => given.toLowerCase() === name)?.[1];
}

/** Compares bytes, as they come, with what should come. */
export class Matcher {
  readonly expected: Buffer;
  matched = 0;
  isRight = true;

  constructor(expected: Buffer) {
    this.expected = expected;
  }

  get isWhole(): boolean {
    return this.isRight && this.matched === this.expected.length;
  }

  /** False from the first byte that differs, or is one too many. */
  feed(bytes: Buffer): boolean {
    const end = this.matched + bytes.length;
    const fits = end <= this.expected.length;
    this.isRight &&= fits && this.expected.compare(bytes, 0, bytes.length, this.matched, end) === 0;
    this.matched = end;
    return this.isRight;
  }
}
