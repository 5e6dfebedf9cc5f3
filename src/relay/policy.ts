/**
 * What to do with the head of an answer: pass it on, or try once more (contract, rules of a lane,
 * 5 and 6). Pure: the exchange carries it out.
 */

import { fieldValue } from '../core/fields.ts';
import { ATTEMPTS_MAX } from '../core/limits.ts';
import type { ResponseHead } from '../core/message.ts';
import { backoffMs, retryAfterMs } from '../core/retry.ts';
import type { HeaderMode } from '../lanes/lane.ts';

export type HeadVerdict =
  | { readonly act: 'forward' }
  /** The same lane, with the other way to present the key. */
  | { readonly act: 'other_mode'; readonly mode: HeaderMode }
  /** The same lane, after a wait. */
  | { readonly act: 'wait'; readonly ms: number }
  /** The default lane, since this one does not count tokens. */
  | { readonly act: 'fall_back' };

export interface HeadSituation {
  /** How the key was presented by this attempt. */
  readonly mode: HeaderMode | null;
  readonly path: string;
  readonly attempts: number;
  /** The whole request can be sent again. */
  readonly replayable: boolean;
  readonly backoff: boolean;
  readonly isDefaultLane: boolean;
  /** Unix ms. */
  readonly wall: number;
  readonly random: () => number;
}

const FORWARD: HeadVerdict = { act: 'forward' };

/** Judges the head of an answer. */
export function judgeHead(head: ResponseHead, now: HeadSituation): HeadVerdict {
  if (head.status < 400 || now.attempts >= ATTEMPTS_MAX || !now.replayable) return FORWARD;
  if (head.status === 401 && now.mode !== null) {
    return { act: 'other_mode', mode: now.mode === 'x-api-key' ? 'authorization' : 'x-api-key' };
  }
  if (head.status === 404 && !now.isDefaultLane && now.path.endsWith('/count_tokens')) {
    return { act: 'fall_back' };
  }
  const transient = head.status === 429 || head.status === 503 || head.status === 529;
  if (!transient || !now.backoff || fieldValue(head.fields, 'x-should-retry') === 'false') {
    return FORWARD;
  }
  const ms = backoffMs(head.status, retryAfterMs(head.fields, now.wall), now.random);
  return ms === null ? FORWARD : { act: 'wait', ms };
}
