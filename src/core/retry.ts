/**
 * When the proxy itself tries again, as pure rules (contract, rules of a lane, 5 and 6; invariant
 * "nothing twice"): at most once, only before the first byte of an answer, and only where nothing
 * can have happened twice. Everything else is the client's to retry: Claude Code and the SDKs do.
 */
import {
  ATTEMPTS_MAX,
  BACKOFF_BUSY_MS_MAX,
  BACKOFF_BUSY_MS_MIN,
  BACKOFF_MS_MAX,
  BACKOFF_RATE_MS_MAX,
  BACKOFF_RATE_MS_MIN,
  POOL_IDLE_MS_MIN,
  POOL_RACE_MS_MAX,
} from './limits.ts';
import type { UpstreamFailure } from './ports.ts';

export { retryAfterMs } from './retry-after.ts';

/** How the ledger classes an exchange that did not succeed. */
export type ErrorType = '401' | '429' | '5xx' | '4xx' | 'net' | 'timeout';

/** What the relay knows of an exchange when an attempt has failed. */
export interface RetryFacts {
  /** Every byte of the request body is held, so that it can be sent again from its start. */
  readonly replayable: boolean;
  /** Attempts made so far, the failed one included. */
  readonly attempts: number;
  readonly method: string;
}

/**
 * The wait in whole ms before the one retry of a refused request, or null for none: not a status to
 * wait for (429, 503, 529), or a longer wait asked for than `BACKOFF_MS_MAX`, which is left to the
 * client since it gives up at once on long ones.
 *
 * @param retryAfter what the answer asked for, ms; it goes before the jittered wait
 * @param random uniform in [0, 1)
 */
export function backoffMs(
  status: number,
  retryAfter: number | null,
  random: () => number,
): number | null {
  if (status !== 429 && status !== 503 && status !== 529) return null;
  if (retryAfter !== null) return retryAfter > BACKOFF_MS_MAX ? null : retryAfter;
  if (status === 429) return jittered(BACKOFF_RATE_MS_MIN, BACKOFF_RATE_MS_MAX, random);
  return jittered(BACKOFF_BUSY_MS_MIN, BACKOFF_BUSY_MS_MAX, random);
}

function jittered(min: number, max: number, random: () => number): number {
  return Math.min(max, Math.floor(min + random() * (max - min + 1)));
}

/**
 * True if a failed attempt may be made again at once, on a fresh connection.
 *
 * A failure is retried where the first try can have had no effect and a second one is likely to do
 * better: the connection ended under us (`reset`, `closed`, `protocol`, `not_processed`), and
 * - the upstream says that it did not process the request (RFC 9113 sections 6.8 and 8.7); or
 * - no byte of the request had left, which holds for every failure while connecting; or
 * - it met the upstream's idle timer (`isIdleRace`), so that nobody read the request; or
 * - the method is safe (RFC 9110 section 9.2.1), so that twice is as good as once.
 *
 * What a second try at once would only repeat is not retried, though it would be safe: names that do
 * not resolve, refused, unreachable or silent addresses, certificates and handshakes that fail,
 * timeouts. The client retries those after a pause, which is what they need.
 */
export function mayRetryFailure(failure: UpstreamFailure, facts: RetryFacts): boolean {
  if (facts.attempts >= ATTEMPTS_MAX || !facts.replayable || failure.answered) return false;
  switch (failure.code) {
    case 'not_processed':
      return true;
    case 'protocol':
      return nothingSent(failure);
    case 'reset':
    case 'closed':
      return nothingSent(failure) || failure.raced || isSafe(facts.method);
    case 'dns':
    case 'refused':
    case 'unreachable':
    case 'no_descriptor':
    case 'certificate':
    case 'tls':
    case 'connect_timeout':
    case 'head_timeout':
    case 'idle_timeout':
      return false;
  }
}

/**
 * True if a connection that broke before any byte of an answer most likely met the upstream's idle timer
 * (RFC 9112 section 9.3.1), a race that a keep-alive pool can not avoid: it had rested for as long as idle
 * timers take at least, and broke within the time that the news of it needs. A connection that was
 * busy just before, or breaks later, may have carried the request to somebody who served it.
 *
 * @param restedMs how long it had been idle before the request; null on one that is new
 * @param sinceMs time since the request began to leave
 */
export function isIdleRace(restedMs: number | null, sinceMs: number): boolean {
  return restedMs !== null && restedMs >= POOL_IDLE_MS_MIN && sinceMs <= POOL_RACE_MS_MAX;
}

function nothingSent(failure: UpstreamFailure): boolean {
  return !failure.sent || failure.phase === 'connect' || failure.phase === 'tls';
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' || method === 'TRACE';
}

/**
 * The ledger's class of an exchange; null for one that succeeded. A failure goes before the status:
 * an answer that was cut, or a local 502, is told by what went wrong on the network.
 *
 * @param status the status of the answer, or null where there was none
 */
export function errTypeOf(
  status: number | null,
  failure: UpstreamFailure | null,
): ErrorType | null {
  if (failure !== null) return isTimeout(failure) ? 'timeout' : 'net';
  if (status === null || status < 400) return null;
  if (status === 401) return '401';
  if (status === 429) return '429';
  return status < 500 ? '4xx' : '5xx';
}

function isTimeout(failure: UpstreamFailure): boolean {
  const { code } = failure;
  return code === 'connect_timeout' || code === 'head_timeout' || code === 'idle_timeout';
}
