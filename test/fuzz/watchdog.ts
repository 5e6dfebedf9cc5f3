/**
 * Ends a run that hangs: a thread beside it that sees each input before it is run. Where one case
 * takes longer than the bound, its input is kept, told of, and the process ends with 1.
 */
import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { FOUND, keep } from './corpus.ts';
import type { Target } from './target.ts';

const STDERR = 2;
const LOOK_MS = 500;
/** Words of the shared memory: how many cases have begun, and the length of the present input. */
const BEGUN = 0;
const LENGTH = 1;
const HEAD_BYTES = 8;

interface Watched {
  readonly corpus: string;
  readonly target: string;
  readonly caseMsMax: number;
  readonly shared: SharedArrayBuffer;
}

export interface Watchdog {
  /** To be called before each case. */
  see(input: Buffer): void;
  end(): Promise<void>;
}

/**
 * Watches the cases of a target.
 *
 * @param caseMsMax how long one case may take, ms
 */
export function createWatchdog(
  corpus: string,
  { name: target, bytesMax }: Target,
  caseMsMax: number,
): Watchdog {
  const shared = new SharedArrayBuffer(HEAD_BYTES + bytesMax);
  const words = new Int32Array(shared, 0, 2);
  const bytes = new Uint8Array(shared, HEAD_BYTES);
  const watched: Watched = { corpus, target, caseMsMax, shared };
  const worker = new Worker(new URL(import.meta.url), { workerData: watched });
  worker.unref();
  return {
    see(input) {
      const length = Math.min(input.length, bytes.length);
      bytes.set(input.subarray(0, length));
      Atomics.store(words, LENGTH, length);
      Atomics.add(words, BEGUN, 1);
    },
    async end() {
      await worker.terminate();
    },
  };
}

function watch({ corpus, target, caseMsMax, shared }: Watched): void {
  const words = new Int32Array(shared, 0, 2);
  let begun = 0;
  let sinceMs = 0;
  setInterval(() => {
    const now = Atomics.load(words, BEGUN);
    sinceMs = now === begun ? sinceMs + LOOK_MS : 0;
    begun = now;
    if (begun === 0 || sinceMs < caseMsMax) return;
    const input = Buffer.from(new Uint8Array(shared, HEAD_BYTES, Atomics.load(words, LENGTH)));
    const file = keep(corpus, target, input, FOUND);
    // Not by process.stderr, which goes through the thread that hangs.
    writeSync(STDERR, `${target}: one case took more than ${caseMsMax} ms: ${file}\n`);
    // It hears of nothing else.
    process.kill(process.pid, 'SIGKILL');
  }, LOOK_MS);
}

if (!isMainThread) watch(workerData as Watched);
