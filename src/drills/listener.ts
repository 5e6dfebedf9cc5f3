/**
 * Hears one answer: counts, hashes and times it, and keeps its last bytes to see how it ended. Of an
 * answer under a content coding all is kept, in bounds, since its end can be read in no other way.
 */
import { createHash } from 'node:crypto';
import { ERROR_HEADER } from '../core/errors.ts';
import { fieldValue, requestIdOf } from '../core/fields.ts';
import { DRILL_DECODED_BYTES_MAX, DRILL_TAIL_BYTES_MAX } from '../core/limits.ts';
import type { Fields } from '../core/message.ts';
import { decoded, endsPlainly, type StreamEnd, streamEnd } from './stream-end.ts';
import type { FailureKind, Heard } from './types.ts';

const EMPTY = Buffer.alloc(0);
const BRACE = 0x7d;

export interface Listener {
  head(status: number, fields: Fields): void;
  payload(bytes: Buffer): void;
  /**
   * What was heard.
   *
   * @param ended the answer came to the end that its framing promises
   */
  done(failure: FailureKind | null, sent: boolean, ended?: boolean): Heard;
}

/** Begins to listen: the clock runs from here. */
export function createListener(isStream: boolean): Listener {
  const started = performance.now();
  const hash = createHash('sha256');
  const tail = createTail();
  let status = 0;
  let fields: Fields = [];
  let ttfbMs: number | null = null;
  let bytes = 0;
  return {
    head: (received, of) => {
      status = received;
      fields = of;
      ttfbMs = performance.now() - started;
      if (codingOf(of) !== null) tail.keep(DRILL_DECODED_BYTES_MAX);
    },
    payload: (piece) => {
      bytes += piece.length;
      hash.update(piece);
      tail.push(piece);
    },
    done: (failure, sent, ended = failure === null) => {
      const isEvents = fieldValue(fields, 'content-type')?.startsWith('text/event-stream') === true;
      const end = isStream || isEvents ? tail.streamEnd(codingOf(fields)) : null;
      const closed = isStream ? end?.stopped === true : tail.lastByte() === BRACE;
      return {
        status,
        own: fieldValue(fields, ERROR_HEADER) ?? null,
        requestId: requestIdOf(fields),
        bytes,
        sha256: hash.digest('hex'),
        ended,
        closed: ended && closed,
        stream: isEvents ? end : null,
        ttfbMs,
        latencyMs: performance.now() - started,
        failure,
        sent,
      };
    },
  };
}

/** The content coding, or null for none. */
function codingOf(fields: Fields): string | null {
  const coding = fieldValue(fields, 'content-encoding')?.toLowerCase();
  return coding === undefined || coding === 'identity' ? null : coding;
}

/** The last pieces of a payload. */
function createTail() {
  let pieces: Buffer[] = [];
  let length = 0;
  let max = DRILL_TAIL_BYTES_MAX;
  let isWhole = true;
  return {
    /** Keeps so many bytes from now on. */
    keep: (bytes: number): void => {
      max = bytes;
    },
    push: (piece: Buffer): void => {
      pieces.push(piece);
      length += piece.length;
      // Rarely, since it moves what is kept.
      if (length <= 2 * max) return;
      isWhole = false;
      let excess = 0;
      while (length - (pieces[excess]?.length ?? 0) >= max) {
        length -= pieces[excess]?.length ?? 0;
        excess += 1;
      }
      if (excess > 0) pieces = pieces.slice(excess);
    },
    lastByte: (): number | undefined => pieces.at(-1)?.at(-1),
    streamEnd: (coding: string | null): StreamEnd => {
      const last = pieces.at(-1) ?? EMPTY;
      if (coding === null && endsPlainly(last)) return { stopped: true, error: null };
      const kept = Buffer.concat(pieces);
      const plain = coding === null ? kept : isWhole ? decoded(kept, coding) : null;
      return streamEnd(plain ?? EMPTY);
    },
  };
}
