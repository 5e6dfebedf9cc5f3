/**
 * Makes a small corpus of what a run kept.
 */
import type { Coverage } from './coverage.ts';
import { minimise } from './minimise.ts';
import { failureOf, nameOf, type Target } from './target.ts';

/** Tries that making an input of the corpus smaller may cost. */
const DISTIL_TRIES_MAX = 400;

/**
 * As few inputs, as small, as still reach what the given ones reach: the large ones first, since they
 * reach the most; what adds nothing to those before it is left out, and what does is made smaller for
 * as long as it adds as much.
 */
export async function distil(
  target: Target,
  kept: readonly Buffer[],
  coverage: Coverage,
  onCase: (input: Buffer) => void,
): Promise<Buffer[]> {
  const small = new Map<string, Buffer>();
  for (const input of [...kept].sort((a, b) => b.length - a.length)) {
    onCase(input);
    coverage.reset();
    await failureOf(target, input);
    const gain = coverage.gain();
    if (gain === 0) continue;
    let tries = 0;
    const best = await minimise(input, async (candidate) => {
      tries += 1;
      if (tries > DISTIL_TRIES_MAX) return false;
      onCase(candidate);
      coverage.reset();
      if ((await failureOf(target, candidate)) !== null) return false;
      return coverage.gain() >= gain;
    });
    coverage.reset();
    await failureOf(target, best);
    coverage.takeIn();
    small.set(nameOf(best), best);
  }
  return [...small.values()];
}
