/**
 * What a session does about what it meets: an upstream that has no room, answers that come unevenly, a
 * key that is taken in the other header only.
 */
import type { DrillOutcome } from '../drills/run.ts';
import type { PhaseCheck } from './record.ts';

/** Heads come unevenly where the slowest twentieth takes so many times the median… */
const JITTER_RATIO = 5;
/** …and so much longer, ms: what is less nobody notices. */
const JITTER_MS = 250;

/** The heads of the answers came unevenly. */
export function isUneven({ counts }: Pick<DrillOutcome, 'counts'>): boolean {
  const times = counts.ttfb.summary();
  if (times === null) return false;
  return times.p95 > times.p50 * JITTER_RATIO && times.p95 - times.p50 > JITTER_MS;
}

/** The same burst over HTTP/1.1 alone, beside what it was. */
export function differenceOf(
  before: Pick<DrillOutcome, 'counts'>,
  after: Pick<DrillOutcome, 'counts'>,
): PhaseCheck {
  const was = before.counts.ttfb.summary();
  const is = after.counts.ttfb.summary();
  const detail =
    was === null || is === null
      ? 'nothing to compare'
      : `time to the head p50 ${was.p50.toFixed(0)} to ${is.p50.toFixed(0)} ms, ` +
        `p95 ${was.p95.toFixed(0)} to ${is.p95.toFixed(0)} ms with HTTP/1.1 alone`;
  return { name: 'http/1.1 alone', met: null, detail };
}
