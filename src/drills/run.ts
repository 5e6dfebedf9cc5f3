/**
 * Runs a drill: so many clients, one request after the other, until a bound is reached or somebody
 * says stop; then waits for everything to settle, reads the ledger and judges.
 */
import assert from 'node:assert';
import { setTimeout as wait } from 'node:timers/promises';
import { DRILL_SETTLE_MS_MAX } from '../core/limits.ts';
import {
  createIsolationSearch,
  type IsolationCount,
  type IsolationSearch,
  type LaneCredentials,
} from './isolation.ts';
import { createLaneSwitch, type LaneSwitch } from './lane-switch.ts';
import { countRecords, type LedgerCount } from './ledger-check.ts';
import { type Plan, requestOf } from './plan.ts';
import { matchRequests, type RequestMatch } from './request-match.ts';
import { type Sampler, startSampler, trendsOf, type WatchedTrend } from './samples.ts';
import { type Counts, createTally, type Tally } from './tally.ts';
import type { DrillClient, DrillLane, ProxyView, Sample } from './types.ts';
import { type Check, judge } from './verdict.ts';
import { createWitness, type Witness, type WitnessedTwin } from './witness.ts';

/** What a drill runs with. */
export interface DrillOptions {
  readonly plan: Plan;
  /** Makes one client; each is used by one worker. */
  readonly client: () => DrillClient;
  readonly proxy: ProxyView;
  /** Compared with, where the twin runs in this process. */
  readonly twin: WitnessedTwin | null;
  /** Looked for in what the twin received at the other lane; default: nothing is. */
  readonly credentials?: LaneCredentials | undefined;
  /** A twin answers, here or elsewhere; else a real model reads the prompts. */
  readonly simulated: boolean;
  /** Sets where Haiku goes, for a plan that alternates by it. */
  readonly setLane?: (lane: DrillLane) => Promise<void>;
  /** The client is an agent: a turn of it may make several requests. */
  readonly agent?: boolean;
  /** Ends the drill early, cleanly. */
  readonly stop: AbortSignal;
  /** Counted into, where several runs are counted as one. Default: a new one. */
  readonly tally?: Tally;
  /** Told twice a second how it goes. */
  readonly onProgress?: (progress: Progress) => void;
  /** Told now and then what came of it so far, without the ledger. */
  readonly interim?: {
    readonly everyMs: number;
    readonly tell: (outcome: DrillOutcome) => void;
  };
}

/** The parts of a drill that runs. */
interface Running {
  readonly options: DrillOptions;
  readonly tally: Tally;
  readonly witness: Witness | null;
  readonly isolationSearch: IsolationSearch | null;
  readonly sampler: Sampler;
  /** Of an agent. */
  readonly match: RequestMatch | null;
}

/** How a running drill goes. */
export interface Progress {
  readonly seconds: number;
  readonly counts: Counts;
  readonly sample: Sample | null;
}

/** What came of a drill. */
export interface DrillOutcome {
  readonly plan: Plan;
  readonly witnessed: boolean;
  /** The client was an agent. */
  readonly agent: boolean;
  readonly interrupted: boolean;
  /** False while it runs. */
  readonly final: boolean;
  /** Of the load alone. */
  readonly seconds: number;
  readonly counts: Counts;
  readonly ledger: LedgerCount | null;
  /** Null where no upstream could be looked into. */
  readonly isolation: IsolationCount | null;
  readonly trends: readonly WatchedTrend[];
  readonly checks: readonly Check[];
  /** No check failed. */
  readonly ok: boolean;
}

const PROGRESS_MS = 500;
const SETTLE_EVERY_MS = 50;
const SETTLE_EVERY_EXCHANGES = 256;
/** A client whose proxy is gone waits so long before it tries again. */
const RETRY_MS = 100;

/** Runs a drill to its end. Rejects only where the drill itself is broken. */
export async function runDrill(options: DrillOptions): Promise<DrillOutcome> {
  const { tally = createTally(), credentials } = options;
  const match = options.agent === true ? matchRequests(options.twin) : null;
  const twin = match?.twin ?? options.twin;
  const isolationSearch =
    twin === null || credentials === undefined ? null : createIsolationSearch(credentials);
  const witness = twin === null ? null : createWitness(twin, tally.add, isolationSearch?.look);
  const sampler = startSampler(options.proxy.look);
  const running: Running = { options, tally, witness, isolationSearch, sampler, match };
  const started = performance.now();
  const secondsNow = (): number => (performance.now() - started) / 1000;
  const settling = setInterval(() => witness?.settle(), SETTLE_EVERY_MS);
  const telling = setInterval(() => {
    const sample = sampler.samples().at(-1) ?? null;
    options.onProgress?.({ seconds: secondsNow(), counts: tally, sample });
  }, PROGRESS_MS);
  const interim = startInterim(options, () =>
    outcomeOf(running, { seconds: secondsNow(), final: false }, null),
  );
  let seconds = 0;
  try {
    await load(running, started);
    seconds = secondsNow();
    await settle(witness);
  } finally {
    clearInterval(settling);
    clearInterval(telling);
    clearInterval(interim);
    await sampler.stop();
  }
  const records = await options.proxy.records(tally.exchanges);
  const ledger = records === null ? null : await countRecords(records, match?.recorded);
  return outcomeOf(running, { seconds, final: true }, ledger);
}

function startInterim(
  { interim }: DrillOptions,
  outcome: () => DrillOutcome,
): NodeJS.Timeout | undefined {
  return interim && setInterval(() => interim.tell(outcome()), interim.everyMs);
}

function outcomeOf(
  { options, tally, sampler, witness, isolationSearch, match }: Running,
  how: Pick<DrillOutcome, 'seconds' | 'final'>,
  ledger: LedgerCount | null,
): DrillOutcome {
  const { plan, stop, agent = false } = options;
  const trends = trendsOf(sampler.samples());
  const isolation = isolationSearch?.count() ?? null;
  const witnessed = witness !== null;
  const interrupted = stop.aborted;
  const checks = judge({
    name: plan.name,
    counts: tally,
    ledger,
    isolation,
    trends,
    witnessed,
    unseenTriesMax: witness?.unseenTriesMax(plan.concurrency) ?? 0,
    interrupted,
    ...(match === null ? {} : { requests: match.count() }),
  });
  const ok = checks.every((check) => check.met !== false);
  return {
    plan,
    witnessed,
    agent,
    interrupted,
    counts: tally,
    ledger,
    isolation,
    trends,
    checks,
    ok,
    ...how,
  };
}

/** All clients, until the last has ended. */
async function load({ options, tally, witness }: Running, started: number): Promise<void> {
  const { plan, stop } = options;
  let next = 0;
  const lanes = laneSwitchFor(options);
  const isOver = (): boolean =>
    stop.aborted ||
    (plan.count !== null && next >= plan.count) ||
    (plan.ms !== null && performance.now() - started >= plan.ms);
  const worker = async (client: DrillClient): Promise<void> => {
    while (!isOver()) {
      const index = next;
      next += 1;
      const request = requestOf(plan, index, options.simulated);
      await lanes?.enter(request.lane);
      const heard = await client.ask(request).finally(() => lanes?.leave());
      if (witness !== null && heard.sent) witness.heard(request, heard);
      else tally.add(request, heard, null);
      if (index % SETTLE_EVERY_EXCHANGES === 0) witness?.settle();
      const pause = heard.sent ? plan.pauseMs : Math.max(plan.pauseMs, RETRY_MS);
      if (pause > 0 && !isOver()) await rest(pause, stop);
    }
  };
  const clients = Array.from({ length: plan.concurrency }, () => options.client());
  const done = Promise.all(clients.map(worker));
  try {
    await Promise.race([done, overdue(stop, done)]);
  } finally {
    // What is still under way after the time to finish is cut, and ends as abandoned.
    await Promise.all(clients.map((client) => client.close()));
  }
  await done;
}

function laneSwitchFor({ plan, setLane }: DrillOptions): LaneSwitch | null {
  if (plan.alternation !== 'force') return null;
  assert(setLane !== undefined, 'a plan that alternates by the switch can set it');
  return createLaneSwitch(setLane);
}

/** Resolves when the drill was stopped and its exchanges had their time to finish. */
async function overdue(stop: AbortSignal, done: Promise<unknown>): Promise<void> {
  if (!stop.aborted) {
    const { promise, resolve } = Promise.withResolvers<void>();
    stop.addEventListener('abort', () => resolve(), { once: true });
    await promise;
  }
  await Promise.race([done, wait(DRILL_SETTLE_MS_MAX, undefined, { ref: false })]);
}

/** Sleeps, or until the drill is stopped. */
async function rest(ms: number, stop: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal: stop }).catch(() => undefined);
}

/** Waits until both ends of every exchange are known, in bounded time. */
async function settle(witness: Witness | null): Promise<void> {
  if (witness === null) return;
  const until = performance.now() + DRILL_SETTLE_MS_MAX;
  witness.settle();
  while (witness.open > 0 && performance.now() < until) {
    await wait(SETTLE_EVERY_MS);
    witness.settle();
  }
  witness.close();
}
