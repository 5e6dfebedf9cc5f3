/** Counts what came of the exchanges of a drill, in memory that does not grow with them. */
import { createHistogram, type Histogram } from './histogram.ts';
import type { DrillRequest, Heard } from './types.ts';
import type { Fault } from './witness.ts';

/** The counts so far. */
export interface Counts {
  /** Exchanges that were begun on a connection that stood, and have ended. */
  readonly exchanges: number;
  /** Of them: answered 200, to their proper end, with the bytes that were sent. */
  readonly whole: number;
  readonly misroutes: number;
  readonly stalls: number;
  /** Cut by the end of the drill itself. */
  readonly abandoned: number;
  /** What went wrong, by kind: a failure, a fault, or `http_STATUS`. */
  readonly errors: ReadonlyMap<string, number>;
  readonly lanes: ReadonlyMap<string, number>;
  readonly bytes: number;
  readonly latency: Histogram;
  readonly ttfb: Histogram;
}

export interface Tally extends Counts {
  /** Takes an exchange that has ended, with its fault in the eyes of both ends, if any. */
  add(request: DrillRequest, heard: Heard, fault: Fault | null): void;
}

const OK = 200;

/** An empty tally. */
export function createTally(): Tally {
  const errors = new Map<string, number>();
  const lanes = new Map<string, number>();
  const counts = { exchanges: 0, whole: 0, misroutes: 0, stalls: 0, abandoned: 0, bytes: 0 };
  const latency = createHistogram();
  const ttfb = createHistogram();
  return {
    errors,
    lanes,
    latency,
    ttfb,
    get exchanges() {
      return counts.exchanges;
    },
    get whole() {
      return counts.whole;
    },
    get misroutes() {
      return counts.misroutes;
    },
    get stalls() {
      return counts.stalls;
    },
    get abandoned() {
      return counts.abandoned;
    },
    get bytes() {
      return counts.bytes;
    },
    add: (request, heard, fault) => {
      if (fault === 'misroute') counts.misroutes += 1;
      if (heard.sent) {
        counts.exchanges += 1;
        count(lanes, request.lane);
      }
      if (heard.failure === 'abandoned') {
        counts.abandoned += 1;
        return;
      }
      if (heard.failure === 'stall') counts.stalls += 1;
      counts.bytes += heard.bytes;
      const error = errorOf(heard, fault);
      if (error === null) counts.whole += 1;
      else count(errors, error);
      if (heard.ended) latency.add(heard.latencyMs);
      if (heard.ttfbMs !== null) ttfb.add(heard.ttfbMs);
    },
  };
}

function errorOf(heard: Heard, fault: Fault | null): string | null {
  if (fault !== null) return fault;
  if (heard.failure !== null) return heard.failure;
  if (heard.status !== OK) return `http_${heard.status}`;
  return heard.closed ? null : 'unfinished';
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
