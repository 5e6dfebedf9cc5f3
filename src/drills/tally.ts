/** Counts what came of the exchanges of a drill, in memory that does not grow with them. */
import { createClasses, expectedRecord, type RecordClasses } from './expected-records.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import { increment, wayOf } from './ledger-check.ts';
import type { DrillRequest, Heard } from './types.ts';
import type { Sighting } from './witness.ts';

/** Exchanges that met a planned fault of one kind. */
export interface FaultCount {
  readonly met: number;
  /** Of them: what the client got is what the upstream sent, and ended as that did. */
  readonly delivered: number;
}

/** The counts so far. */
export interface Counts {
  /** Exchanges that were begun on a connection that stood, and have ended. */
  readonly exchanges: number;
  /** Of them: met no fault, answered 200, to their proper end, with the bytes that were sent. */
  readonly whole: number;
  /** Of them: met a planned fault, and were delivered as the upstream sent and ended them. */
  readonly spoilt: number;
  readonly misroutes: number;
  readonly stalls: number;
  /** Cut by the end of the drill itself. */
  readonly abandoned: number;
  /** Exchanges whose request the twin received more than once. */
  readonly retried: number;
  /** What went wrong, by kind: a failure, a fault of what lies between, or `http_STATUS`. */
  readonly errors: ReadonlyMap<string, number>;
  /** Planned faults by their kind. */
  readonly faults: ReadonlyMap<string, FaultCount>;
  readonly lanes: ReadonlyMap<string, number>;
  /** By model and lane, as the ledger's are counted. */
  readonly ways: ReadonlyMap<string, number>;
  /** The records that the ledger must hold. */
  readonly expected: RecordClasses;
  /** Exchanges of which no record can be foreseen. */
  readonly unforeseen: number;
  readonly bytes: number;
  /** Of exchanges that met no fault, which would be measured instead. */
  readonly latency: Histogram;
  readonly ttfb: Histogram;
}

export interface Tally extends Counts {
  /** Takes an exchange that has ended, with what the twin knows of it, if there is one. */
  add(request: DrillRequest, heard: Heard, sighting: Sighting | null): void;
}

type Totals =
  | 'exchanges'
  | 'whole'
  | 'spoilt'
  | 'misroutes'
  | 'stalls'
  | 'abandoned'
  | 'retried'
  | 'unforeseen'
  | 'bytes';

const OK = 200;
const UNSEEN: Sighting = { fault: null, met: [], tries: 0 };

/** An empty tally. */
export function createTally(): Tally {
  const errors = new Map<string, number>();
  const faults = new Map<string, FaultCount>();
  const lanes = new Map<string, number>();
  const ways = new Map<string, number>();
  const expected = createClasses();
  const latency = createHistogram();
  const ttfb = createHistogram();
  const totals: Record<Totals, number> = {
    exchanges: 0,
    whole: 0,
    spoilt: 0,
    misroutes: 0,
    stalls: 0,
    abandoned: 0,
    retried: 0,
    unforeseen: 0,
    bytes: 0,
  };
  const foresee = (request: DrillRequest, heard: Heard): void => {
    totals.exchanges += 1;
    increment(lanes, request.lane);
    increment(ways, wayOf(request.model, request.lane));
    const record = expectedRecord(request, heard);
    if (record === null) totals.unforeseen += 1;
    else expected.add(record);
  };
  const judge = (heard: Heard, { fault, met }: Sighting): void => {
    const isSpoilt = met.length > 0 && fault === null;
    for (const kind of new Set(met)) {
      const count = faults.get(kind) ?? { met: 0, delivered: 0 };
      faults.set(kind, { met: count.met + 1, delivered: count.delivered + (isSpoilt ? 1 : 0) });
    }
    if (isSpoilt) {
      totals.spoilt += 1;
      return;
    }
    if (heard.failure === 'stall') totals.stalls += 1;
    const error = errorOf(heard, fault);
    if (error === null) totals.whole += 1;
    else increment(errors, error);
    if (heard.ended) latency.add(heard.latencyMs);
    if (heard.ttfbMs !== null) ttfb.add(heard.ttfbMs);
  };
  const add: Tally['add'] = (request, heard, sighting) => {
    const seen = sighting ?? UNSEEN;
    if (seen.fault === 'misroute') totals.misroutes += 1;
    // A turn of an agent, which shows no bytes, is many requests by its nature.
    if (seen.tries > 1 && heard.sha256 !== null) totals.retried += 1;
    if (heard.sent) foresee(request, heard);
    if (heard.failure === 'abandoned') {
      totals.abandoned += 1;
      return;
    }
    totals.bytes += heard.bytes;
    judge(heard, seen);
  };
  const maps = { errors, faults, lanes, ways, expected: expected.classes };
  return withTotals({ ...maps, latency, ttfb, add }, totals);
}

/** Totals are read live: they go on counting. */
function withTotals<T extends object>(parts: T, totals: Record<Totals, number>) {
  const names = Object.keys(totals) as Totals[];
  const live = names.map((name) => [name, { enumerable: true, get: () => totals[name] }] as const);
  return Object.defineProperties(parts, Object.fromEntries(live)) as T &
    Readonly<Record<Totals, number>>;
}

/** Where the client itself tells more of an end that is wrong, its word is taken. */
function errorOf(heard: Heard, fault: Sighting['fault']): string | null {
  if (fault !== null && !(fault === 'cut' && heard.failure !== null)) return fault;
  if (heard.failure !== null) return heard.failure;
  if (heard.status !== OK) return `http_${heard.status}`;
  return heard.closed ? null : 'unfinished';
}
