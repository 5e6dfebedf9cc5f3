/**
 * Reads an answer beside its way to the client: tokens, stream health, the model that served it.
 *
 * An encoded answer (gzip, deflate, br, zstd) is relayed encoded and read from a decoded copy. The
 * reader never holds a byte back: past a bound, or where an encoding is unknown or damaged, it lets
 * go, and its facts say so (`lost`).
 */

import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import { fieldValue } from '../core/fields.ts';
import {
  TAP_DECODED_BYTES_MAX,
  TAP_QUEUE_BYTES_MAX,
  TAP_SETTLE_MS_MAX,
  TAP_ZSTD_WINDOW_BITS_MAX,
} from '../core/limits.ts';
import type { ResponseHead } from '../core/message.ts';
import type { Clock } from '../core/ports.ts';
import type { AnswerFacts, AnswerTap } from '../core/tap/facts.ts';
import { createJsonTap } from '../core/tap/json-tap.ts';
import { createSseTap } from '../core/tap/sse-tap.ts';

export interface AnswerReader {
  /** The answer is an event stream. */
  readonly sse: boolean;
  push(wire: Buffer, data: readonly Buffer[] | null): void;
  /** Hands over the facts: at once for plain answers, within TAP_SETTLE_MS_MAX for encoded ones. */
  finish(done: (facts: AnswerFacts) => void): void;
}

/**
 * A reader for the answer with this head.
 *
 * @param onData sees the decoded payload too (the body sampler), or null
 */
export function createAnswerReader(
  head: ResponseHead,
  clock: Clock,
  onData: ((bytes: Buffer) => void) | null,
): AnswerReader {
  const type = fieldValue(head.fields, 'content-type')?.toLowerCase() ?? '';
  const sse = type.startsWith('text/event-stream');
  const tap = sse ? createSseTap() : createJsonTap();
  const see = (bytes: Buffer): void => {
    tap.push(bytes);
    onData?.(bytes);
  };
  const coding = fieldValue(head.fields, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  return coding === 'identity' || coding === ''
    ? plainReader(sse, tap, see)
    : encodedReader(sse, tap, see, coding, clock);
}

function plainReader(sse: boolean, tap: AnswerTap, see: (bytes: Buffer) => void): AnswerReader {
  return {
    sse,
    push(wire, data) {
      if (data === null) see(wire);
      else for (const slice of data) see(slice);
    },
    finish(done) {
      done(tap.finish());
    },
  };
}

function encodedReader(
  sse: boolean,
  tap: AnswerTap,
  see: (bytes: Buffer) => void,
  coding: string,
  clock: Clock,
): AnswerReader {
  let decoder: Transform | null = createDecoder(coding);
  let lost = decoder === null;
  let decoded = 0;
  let settle: (() => void) | null = null;

  const letGo = (): void => {
    lost = true;
    decoder?.destroy();
    decoder = null;
    settle?.();
  };
  decoder?.on('error', letGo);
  decoder?.on('data', (bytes: Buffer) => {
    decoded += bytes.length;
    if (decoded > TAP_DECODED_BYTES_MAX) letGo();
    else see(bytes);
  });
  decoder?.on('end', () => settle?.());

  const feed = (bytes: Buffer): void => {
    if (decoder === null) return;
    if (decoder.writableLength > TAP_QUEUE_BYTES_MAX) letGo();
    else decoder.write(bytes);
  };
  return {
    sse,
    push(wire, data) {
      if (data === null) feed(wire);
      else for (const slice of data) feed(slice);
    },
    finish(done) {
      const report = (): void => {
        const facts = tap.finish();
        done(lost ? { ...facts, lost: true } : facts);
      };
      if (decoder === null) {
        report();
        return;
      }
      const cancel = clock.after(TAP_SETTLE_MS_MAX, letGo);
      settle = () => {
        settle = null;
        cancel();
        report();
      };
      decoder.end();
    },
  };
}

/** A decoder that also gives what a cut stream holds, or null for a coding that is not known. */
function createDecoder(coding: string): Transform | null {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
    case 'deflate':
      return createInflate({ finishFlush: constants.Z_SYNC_FLUSH });
    case 'br':
      return createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH });
    case 'zstd':
      return createZstdDecompress({
        params: { [constants.ZSTD_d_windowLogMax]: TAP_ZSTD_WINDOW_BITS_MAX },
      });
    default:
      return null;
  }
}
