/**
 * What one side of a comparison takes, block by block: clients that outlive a block, so that no
 * block pays for connections, each with a clock on it.
 */
import { createHistogram, type Histogram } from './histogram.ts';

import type { DrillClient, DrillRequest, Heard } from './types.ts';

/** What one block took: medians over its exchanges, and prompts over its time. */
export interface Measured {
  /** ms */
  readonly latency: number;
  /** ms */
  readonly ttfb: number;
  /** MB of prompts a second. */
  readonly throughput: number;
}

export interface Stopwatch {
  /** The next client of the block that begins; they are handed out in turn. */
  readonly client: () => DrillClient;
  /** What the exchanges since the last reading took; null where none of them was whole. */
  read(seconds: number): Measured | null;
  /** Over all blocks. */
  readonly latency: Histogram;
  readonly ttfb: Histogram;
  /** Ends the clients. */
  close(): Promise<void>;
}

const OK = 200;
const BYTES_PER_MB = 1e6;

/**
 * Makes one.
 *
 * @param make makes a client
 * @param size clients at once
 * @param stop once it is told, whoever closes a client means it
 */
export function createStopwatch(
  make: () => DrillClient,
  size: number,
  stop: AbortSignal,
): Stopwatch {
  const latency = createHistogram();
  const ttfb = createHistogram();
  let block = { latencies: [] as number[], ttfbs: [] as number[], bytes: 0 };
  const note = (request: DrillRequest, heard: Heard): void => {
    if (heard.status !== OK || !heard.ended || heard.ttfbMs === null) return;
    block.latencies.push(heard.latencyMs);
    block.ttfbs.push(heard.ttfbMs);
    block.bytes += request.prompt.length;
    latency.add(heard.latencyMs);
    ttfb.add(heard.ttfbMs);
  };
  const clients = Array.from({ length: size }, make);
  const clocked = clients.map(
    (client): DrillClient => ({
      ask: async (request) => {
        const heard = await client.ask(request);
        note(request, heard);
        return heard;
      },
      close: async () => {
        if (stop.aborted) await client.close();
      },
    }),
  );
  let next = 0;
  return {
    client: () => {
      const client = clocked[next % size];
      if (client === undefined) throw new Error('there is at least one client');
      next += 1;
      return client;
    },
    read: (seconds) => {
      const { latencies, ttfbs, bytes } = block;
      block = { latencies: [], ttfbs: [], bytes: 0 };
      if (latencies.length === 0) return null;
      return {
        latency: medianOf(latencies),
        ttfb: medianOf(ttfbs),
        throughput: bytes / BYTES_PER_MB / seconds,
      };
    },
    latency,
    ttfb,
    close: async () => {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** Of at least one value. */
function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
