/** Hears one answer: counts, hashes and times it, and keeps its last bytes to see how it ended. */
import { createHash } from 'node:crypto';
import type { FailureKind, Heard } from './types.ts';

/** Room for the last event of a stream. */
const TAIL_BYTES = 64;
const STREAM_END = Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n');
const EMPTY = Buffer.alloc(0);
const BRACE = 0x7d;

export interface Listener {
  head(status: number): void;
  payload(bytes: Buffer): void;
  /** What was heard; `failure` null where the answer came to its end. */
  done(failure: FailureKind | null, sent: boolean): Heard;
}

/** Begins to listen: the clock runs from here. */
export function createListener(isStream: boolean): Listener {
  const started = performance.now();
  const hash = createHash('sha256');
  let status = 0;
  let ttfbMs: number | null = null;
  let bytes = 0;
  let tail: Buffer = EMPTY;
  return {
    head: (received) => {
      status = received;
      ttfbMs = performance.now() - started;
    },
    payload: (piece) => {
      bytes += piece.length;
      hash.update(piece);
      tail = piece.length >= TAIL_BYTES ? piece : Buffer.concat([tail, piece]);
      if (tail.length > TAIL_BYTES) tail = tail.subarray(tail.length - TAIL_BYTES);
    },
    done: (failure, sent) => ({
      status,
      bytes,
      sha256: hash.digest('hex'),
      ended: failure === null,
      closed: failure === null && (isStream ? endsStream(tail) : tail.at(-1) === BRACE),
      ttfbMs,
      latencyMs: performance.now() - started,
      failure,
      sent,
    }),
  };
}

/** The grammar alone is looked at: an upstream may spell the data of its last event otherwise. */
function endsStream(tail: Buffer): boolean {
  if (tail.length >= STREAM_END.length && tail.subarray(-STREAM_END.length).equals(STREAM_END)) {
    return true;
  }
  return /"type": ?"message_stop"[^\n]*\}\s*$/.test(tail.toString('latin1'));
}
