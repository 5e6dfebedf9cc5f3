/**
 * Many seeds, one after the other, and what came of them.
 */
import { seenIn } from './seen.ts';
import { type SeedOptions, type SeedResult, simulateSeed } from './simulate.ts';
import type { Violation } from './world.ts';

export interface Batch {
  seeds: number;
  exchanges: number;
  steps: number;
  /** The first violation of each seed that has one. */
  readonly violations: { readonly seed: number; readonly violation: Violation }[];
  /** How often each situation came up. */
  readonly seen: Map<string, number>;
}

export function emptyBatch(): Batch {
  return { seeds: 0, exchanges: 0, steps: 0, violations: [], seen: new Map() };
}

/**
 * Runs one seed, and where its observers are broken once more with sound ones: all else must be the
 * same, to the last bit (invariant 8).
 */
export function judgeSeed(seed: number, options: SeedOptions = {}): SeedResult {
  const result = simulateSeed(seed, options);
  if (result.violation !== null || result.observer === 'well') return result;
  const sound = simulateSeed(seed, { ...options, knobs: { ...options.knobs, observer: 'well' } });
  if (sound.digest === result.digest) return result;
  const what = `a ledger that ${result.observer} changed what was sent, or when`;
  const { steps } = result;
  return { ...result, violation: { invariant: '8 the observer', what, step: steps, at: 0 } };
}

export function addToBatch(batch: Batch, result: SeedResult): void {
  batch.seeds += 1;
  batch.exchanges += result.exchanges;
  batch.steps += result.steps;
  for (const [what, count] of seenIn(result.stories))
    batch.seen.set(what, (batch.seen.get(what) ?? 0) + count);
  if (result.violation !== null) {
    batch.violations.push({ seed: result.seed, violation: result.violation });
  }
}

/** The last line of a run. */
export function summaryOf({ seeds, exchanges, steps, violations }: Batch): string {
  return `simulated ${seeds} seeds, ${exchanges} exchanges, ${steps} steps, ${violations.length} violations`;
}
