/**
 * Samples of bodies for the tee: the first bytes of a request and of its answer, as the relay sees
 * them (an answer decoded). Only what the tee would keep is referenced.
 */
import { TEE_BODY_BYTES_MAX } from '../core/limits.ts';
import type { Tee } from '../ledger/tee.ts';

/** Keeps the beginning of one body. */
export interface BodySample {
  push(bytes: Buffer): void;
  /** Says what kind of body it is; without it the sample is not written. */
  type(contentType: string | undefined): void;
}

/** The two samples of one exchange. */
export interface ExchangeSamples {
  readonly request: BodySample;
  readonly answer: BodySample;
  /** Hands what was kept to the tee. */
  write(lane: string): void;
}

/** Begins to sample an exchange, or returns null while the tee is off. */
export type Sampler = (rid: string) => ExchangeSamples | null;

export function createSampler(tee: Tee): Sampler {
  return (rid) => {
    if (!tee.active) return null;
    const request = keep();
    const answer = keep();
    return {
      request,
      answer,
      write(lane) {
        for (const [direction, kept] of [
          ['request', request],
          ['response', answer],
        ] as const) {
          if (kept.contentType === null) continue;
          const { contentType, truncated } = kept;
          tee.sample({ rid, lane, direction, contentType, bytes: kept.bytes(), truncated });
        }
      },
    };
  };
}

interface KeptSample extends BodySample {
  readonly contentType: string | null;
  readonly truncated: boolean;
  bytes(): Buffer;
}

function keep(): KeptSample {
  const pieces: Buffer[] = [];
  let length = 0;
  let truncated = false;
  let contentType: string | null = null;
  return {
    push(bytes) {
      const room = TEE_BODY_BYTES_MAX - length;
      if (bytes.length > room) truncated = true;
      if (room <= 0) return;
      const taken = bytes.subarray(0, room);
      pieces.push(taken);
      length += taken.length;
    },
    type(text) {
      contentType = text ?? '';
    },
    get contentType() {
      return contentType;
    },
    get truncated() {
      return truncated;
    },
    bytes: () => Buffer.concat(pieces, length),
  };
}
