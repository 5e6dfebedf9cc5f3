/** The memory of this process, and how much of the machine's it may hold bodies in. */
import { totalmem } from 'node:os';
import { HELD_TOTAL_BYTES_MAX } from './core/limits.ts';

/** Bytes. */
export interface MemoryUse {
  readonly rss: number;
  readonly heapUsed: number;
}

let last: MemoryUse = { rss: 0, heapUsed: 0 };

/** As it is, or as it was when it could last be told: the system tells it by a file, and descriptors may be used up. */
export function memoryUse(): MemoryUse {
  try {
    const { rss, heapUsed } = process.memoryUsage();
    last = { rss, heapUsed };
  } catch {
    // As it was, then.
  }
  return last;
}

/** Of what there is, the rest being for whatever else is open. */
const HELD_SHARE = 4;

/**
 * Bytes of request bodies that may be held: less than the bound where the machine, or the group that this
 * process is limited with, has little memory. Beyond, requests stream, unrouted, instead of the process being
 * killed with all that is open in it.
 *
 * @param constrained as the system limits this process; it may be far more than there is
 */
export function heldBytesMax(
  constrained: number = process.constrainedMemory(),
  total: number = totalmem(),
): number {
  const memory = constrained > 0 ? Math.min(constrained, total) : total;
  return Math.min(HELD_TOTAL_BYTES_MAX, Math.floor(memory / HELD_SHARE));
}
