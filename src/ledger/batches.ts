/** Takes queued lines for one write, and makes its bytes in a place that is used again with the next. */
import { strict as assert } from 'node:assert';
import { LEDGER_BATCH_BYTES_MAX } from '../core/limits.ts';
import type { Line } from './recent-lines.ts';

/** What one write holds. */
export interface Batch {
  readonly lines: readonly Line[];
  /** Valid until the next batch is taken. */
  readonly piece: Buffer;
}

export class Batches {
  #store: Buffer = Buffer.alloc(0);

  /** Takes lines from the front: as many as fit into a write, and one at least where there is one. */
  take(queue: Line[]): Batch {
    let bytes = 0;
    let count = 0;
    for (const line of queue) {
      if (count > 0 && bytes + line.bytes > LEDGER_BATCH_BYTES_MAX) break;
      bytes += line.bytes;
      count += 1;
    }
    const lines = queue.splice(0, count);
    if (bytes > this.#store.length) this.#store = Buffer.allocUnsafeSlow(2 * bytes);
    let at = 0;
    for (const line of lines) at += this.#store.write(line.text, at);
    assert.equal(at, bytes, 'a line is as long as it was');
    return { lines, piece: this.#store.subarray(0, bytes) };
  }
}
