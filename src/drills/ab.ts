/**
 * Runs one comparison: blocks of the same load on two sides in turn (A B, B A, A B, …), each of them a
 * drill of its own, every exchange judged as in the others. One pair goes before, to warm up, and is
 * judged but not measured. At the end the ledger of each side is read, and must show the side to be
 * what it is called. A difference is no failure.
 */
import { type Comparison, compare, PAIRS_NEEDED, type Pair, type Quantity } from './ab-compare.ts';
import { createStopwatch, type Measured, type Stopwatch } from './ab-measure.ts';
import type { AbCase, AbMark } from './ab-plan.ts';
import type { Histogram } from './histogram.ts';
import { countRecords } from './ledger-check.ts';
import { runDrill } from './run.ts';
import { type Counts, createTally, type Tally } from './tally.ts';
import type { DrillClient, DrillRecord, ProxyView } from './types.ts';
import { type Check, judge } from './verdict.ts';
import type { WitnessedTwin } from './witness.ts';

export type AbSideName = 'a' | 'b';

/** What a record tells of the way that an exchange took. */
export interface AbRecord extends DrillRecord {
  readonly h2: boolean;
  readonly header_mode: string | null;
}

/** A side that runs. */
export interface AbSide {
  /** Makes one client of it. */
  readonly client: () => DrillClient;
  /** Its records once they are all written; called once, at the end. */
  records(): Promise<AsyncIterable<AbRecord>>;
}

/** What a comparison runs with. */
export interface AbRun {
  readonly plan: AbCase;
  readonly sides: Readonly<Record<AbSideName, AbSide>>;
  readonly twin: WitnessedTwin;
  /** Ends it early, cleanly; the pair under way is not measured. */
  readonly stop: AbortSignal;
  /** Told after each block how it goes. */
  readonly onProgress?: (progress: AbProgress) => void;
}

export interface AbProgress {
  readonly seconds: number;
  /** Whole pairs that were measured. */
  readonly pairs: number;
  readonly exchanges: number;
}

/** What came of one side. */
export interface AbSideOutcome {
  readonly label: string;
  readonly counts: Counts;
  /** Of the blocks that were measured. */
  readonly latency: Histogram;
  readonly ttfb: Histogram;
  /** By the ledger: exchanges whose upstream spoke HTTP/2. */
  readonly h2: number;
  /** By the ledger: exchanges of keyed lanes, by header mode. */
  readonly headerModes: ReadonlyMap<string, number>;
  readonly checks: readonly Check[];
}

export interface AbOutcome {
  readonly plan: AbCase;
  readonly interrupted: boolean;
  readonly seconds: number;
  readonly a: AbSideOutcome;
  readonly b: AbSideOutcome;
  readonly comparisons: readonly Comparison[];
  /** The sides are what they are called. */
  readonly sides: Check;
  /** No check failed. */
  readonly ok: boolean;
}

/** A side while the comparison runs. */
interface Running {
  readonly side: AbSide;
  readonly stopwatch: Stopwatch;
  /** Of all its blocks. */
  readonly tally: Tally;
}

/** Every drill of a block is seen by its clients and the twin; the ledger is read at the end. */
const BLIND: ProxyView = { look: async () => null, records: async () => null };

/** Runs a comparison to its end. Rejects only where the drill itself is broken. */
export async function runAb(run: AbRun): Promise<AbOutcome> {
  const { plan, stop } = run;
  const running: Record<AbSideName, Running> = {
    a: begin(run.sides.a, run),
    b: begin(run.sides.b, run),
  };
  const started = performance.now();
  const pairs: Record<AbSideName, Measured>[] = [];
  let measuredFrom = started;
  const isOver = (): boolean =>
    stop.aborted ||
    (plan.pairs !== null && pairs.length >= plan.pairs) ||
    (plan.ms !== null &&
      pairs.length >= PAIRS_NEEDED &&
      performance.now() - measuredFrom >= plan.ms);
  const tell = (): void => {
    const exchanges = running.a.tally.exchanges + running.b.tally.exchanges;
    const seconds = (performance.now() - started) / 1000;
    run.onProgress?.({ seconds, pairs: pairs.length, exchanges });
  };
  try {
    await pairOf(run, running, ['a', 'b'], tell);
    measuredFrom = performance.now();
    while (!isOver()) {
      const order: AbSideName[] = pairs.length % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
      const pair = await pairOf(run, running, order, tell);
      if (pair === null) break;
      pairs.push(pair);
    }
  } finally {
    await Promise.all([running.a.stopwatch.close(), running.b.stopwatch.close()]);
  }
  return conclude(run, running, pairs, (performance.now() - started) / 1000);
}

function begin(side: AbSide, { plan, stop }: AbRun): Running {
  const stopwatch = createStopwatch(side.client, plan.block.concurrency, stop);
  return { side, stopwatch, tally: createTally() };
}

/** One block a side; null where it was stopped meanwhile, or a block has nothing to measure. */
async function pairOf(
  run: AbRun,
  running: Readonly<Record<AbSideName, Running>>,
  order: readonly AbSideName[],
  tell: () => void,
): Promise<Record<AbSideName, Measured> | null> {
  const pair: Partial<Record<AbSideName, Measured>> = {};
  for (const name of order) {
    const one = running[name];
    const { seconds } = await runDrill({
      plan: run.plan.block,
      client: one.stopwatch.client,
      proxy: BLIND,
      twin: run.twin,
      simulated: true,
      stop: run.stop,
      tally: one.tally,
    });
    tell();
    const measured = one.stopwatch.read(seconds);
    if (measured === null || run.stop.aborted) return null;
    pair[name] = measured;
  }
  const { a, b } = pair;
  return a === undefined || b === undefined ? null : { a, b };
}

async function conclude(
  { plan, sides, stop }: AbRun,
  running: Readonly<Record<AbSideName, Running>>,
  pairs: readonly Readonly<Record<AbSideName, Measured>>[],
  seconds: number,
): Promise<AbOutcome> {
  const interrupted = stop.aborted;
  const outcomeOf = async (name: AbSideName): Promise<AbSideOutcome> => {
    const ways = { h2: 0, headerModes: new Map<string, number>() };
    const ledger = await countRecords(waysOf(await sides[name].records(), ways));
    const { tally: counts, stopwatch } = running[name];
    const evidence = {
      counts,
      ledger,
      isolation: null,
      unseenTriesMax: 0,
      trends: [],
      witnessed: true,
      interrupted,
    };
    const checks = judge({ name: plan.block.name, ...evidence }).filter(isAsked);
    const { latency, ttfb } = stopwatch;
    return { label: plan[name].label, counts, latency, ttfb, ...ways, checks };
  };
  const a = await outcomeOf('a');
  const b = await outcomeOf('b');
  const comparisons = plan.quantities.flatMap((quantity) => {
    const compared = compare(
      quantity,
      pairs.map((pair) => pick(quantity, pair)),
    );
    return compared === null ? [] : [compared];
  });
  const told = sidesCheck(plan.mark, a, b);
  const ok = [...a.checks, ...b.checks, told].every((check) => check.met !== false);
  return { plan, interrupted, seconds, a, b, comparisons, sides: told, ok };
}

/** Nobody looks at the memory of a proxy here. */
function isAsked({ name }: Check): boolean {
  return name !== 'leaks';
}

function pick({ name }: Quantity, { a, b }: Readonly<Record<AbSideName, Measured>>): Pair {
  return { a: a[name], b: b[name] };
}

/** Passes records on, and counts which way they say that exchanges took. */
async function* waysOf(
  records: AsyncIterable<AbRecord>,
  ways: { h2: number; headerModes: Map<string, number> },
): AsyncGenerator<DrillRecord> {
  for await (const record of records) {
    if (record.h2) ways.h2 += 1;
    const mode = record.header_mode;
    if (mode !== null) ways.headerModes.set(mode, (ways.headerModes.get(mode) ?? 0) + 1);
    yield record;
  }
}

function sidesCheck(mark: AbMark, a: AbSideOutcome, b: AbSideOutcome): Check {
  const shown = (side: AbSideOutcome): string =>
    mark === 'header_mode'
      ? [...side.headerModes].map(([mode, count]) => `${mode} ${count}`).join(', ') || 'none'
      : `HTTP/2 ${side.h2} of ${side.counts.exchanges}`;
  const seen = ({ counts }: AbSideOutcome): number => counts.exchanges - counts.abandoned;
  const only = (side: AbSideOutcome, mode: string): boolean =>
    (side.headerModes.get(mode) ?? 0) >= seen(side) &&
    [...side.headerModes.keys()].every((one) => one === mode);
  const met: Readonly<Record<AbMark, boolean | null>> = {
    h2: a.h2 === 0 && b.h2 >= seen(b),
    header_mode: only(a, 'x-api-key') && only(b, 'authorization'),
    none: a.h2 === 0,
  };
  return { name: 'sides', met: met[mark], detail: `A: ${shown(a)}; B: ${shown(b)}` };
}
