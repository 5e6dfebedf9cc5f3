/**
 * Waiting until a proxy holds no more than it should.
 */
import { setTimeout as wait } from 'node:timers/promises';

const POLL_MS = 20;
/** A connection whose client never closes lingers for 5 s; a loaded machine takes its time too. */
const SETTLE_MS_MAX = 30_000;

/**
 * Looks until it is so.
 *
 * @throws Error with the last reading, where it never was
 */
export async function until<T>(
  look: () => T | Promise<T>,
  isSo: (seen: T) => boolean,
  what: string,
): Promise<T> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const seen = await look();
    if (isSo(seen)) return seen;
    if (performance.now() > deadline) throw new Error(`${what}: ${JSON.stringify(seen)}`);
    await wait(POLL_MS);
  }
}
