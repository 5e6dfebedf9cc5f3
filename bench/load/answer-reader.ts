/** Where answers end on an HTTP/1.1 connection, and how many bytes their bodies have. As cheap as can be. */
import { MARK, MARK_DIGITS } from './wire.ts';

export interface Answered {
  readonly status: number;
  readonly bodyBytes: number;
  readonly close: boolean;
}

export interface AnswerReader {
  /** Takes what arrived. @returns the answer that it ended, or null. @throws Error for what is none */
  read(data: Buffer): Answered | null;
  /** Between two answers, and nothing of the next has come. */
  readonly idle: boolean;
}

/** What the length of a body is known by. */
type Framing = 'length' | 'chunked';

export function createAnswerReader(): AnswerReader {
  let pending: Buffer | null = null;
  let inBody = false;
  let framing: Framing = 'length';
  let status = 0;
  let close = false;
  let left = 0;
  let bodyBytes = 0;
  const chunks = createChunkReader();

  const readHead = (data: Buffer): Buffer | null => {
    const all: Buffer = pending === null ? data : Buffer.concat([pending, data]);
    const end = all.indexOf('\r\n\r\n');
    pending = end < 0 ? all : null;
    if (end < 0) return null;
    const head = all.toString('latin1', 0, end + 2).toLowerCase();
    status = Number(head.slice(9, 12));
    close = head.includes('\r\nconnection: close\r\n');
    const length = /\r\ncontent-length: *(\d+)\r\n/.exec(head);
    framing = length === null ? 'chunked' : 'length';
    if (length === null && !head.includes('\r\ntransfer-encoding: chunked\r\n')) {
      throw new Error(`an answer without a length: ${head.slice(0, 200)}`);
    }
    left = Number(length?.[1] ?? 0);
    bodyBytes = left;
    inBody = true;
    return all.subarray(end + 4);
  };
  const finish = (): Answered => {
    inBody = false;
    return { status, bodyBytes, close };
  };
  return {
    get idle() {
      return !inBody && pending === null;
    },
    read: (data) => {
      const rest = inBody ? data : readHead(data);
      if (rest === null) return null;
      if (framing === 'length') {
        left -= rest.length;
        if (left < 0) throw new Error('more than the length of the answer');
        return left === 0 ? finish() : null;
      }
      if (!chunks.read(rest)) return null;
      bodyBytes = chunks.take();
      return finish();
    },
  };
}

/** A chunked body: where it ends, and what it holds. */
function createChunkReader() {
  // What comes next: digits of a size, the rest of its line, bytes, a line that must be empty.
  let state: 'size' | 'data' | 'end' = 'size';
  let size = 0;
  let left = 0;
  let total = 0;
  let lineBytes = 0;
  let last = false;
  let extended = false;

  const endLine = (): boolean => {
    extended = false;
    if (state === 'end') {
      const empty = lineBytes === 0;
      lineBytes = 0;
      if (last) return empty;
      state = 'size';
      return false;
    }
    last = size === 0;
    left = size;
    total += size;
    size = 0;
    lineBytes = 0;
    state = last ? 'end' : 'data';
    return false;
  };
  /** @returns true when the body has ended */
  const takeByte = (byte: number): boolean => {
    if (byte === 10) return endLine();
    if (byte === 13) return false;
    // Behind a semicolon: extensions of the chunk, which say nothing of its size.
    if (byte === 59 && state === 'size') extended = true;
    if (state === 'size' && !extended) size = size * 16 + digitOf(byte);
    lineBytes += 1;
    return false;
  };
  return {
    /** @returns true when the body has ended */
    read: (data: Buffer): boolean => {
      let at = 0;
      while (at < data.length) {
        if (state === 'data') {
          const taken = Math.min(left, data.length - at);
          left -= taken;
          at += taken;
          if (left === 0) state = 'end';
        } else {
          at += 1;
          if (takeByte(data[at - 1] ?? 0)) return true;
        }
      }
      return false;
    },
    /** The bytes of the body; the next begins. */
    take: (): number => {
      const taken = total;
      total = 0;
      last = false;
      state = 'size';
      return taken;
    },
  };
}

/** @throws Error for what is no hexadecimal digit */
function digitOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  if (letter >= 97 && letter <= 102) return letter - 87;
  throw new Error('a chunk without a size');
}

/** Calls back with the time in each mark of `data`. A mark that is cut in two is not seen. */
export function eachMark(data: Buffer, found: (sentUs: number) => void): void {
  let at = data.indexOf(MARK);
  while (at >= 0) {
    const from = at + MARK.length;
    const digits = data.toString('latin1', from, from + MARK_DIGITS);
    if (digits.length === MARK_DIGITS) found(Number(digits));
    at = data.indexOf(MARK, from);
  }
}
