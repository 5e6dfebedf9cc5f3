/** The memory of this process. */

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
