/**
 * Everything at once: honest drills under faults of their upstreams, and hostile loads beside them,
 * through one real proxy; what it holds before, meanwhile and after, and a verdict.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { readStatus } from '../../src/admin/client.ts';
import { proxyView } from '../../src/cli/drill/proxy-view.ts';
import { openTarget } from '../../src/cli/drill/target.ts';
import { planOf } from '../../src/drills/plan.ts';
import { createRawClient } from '../../src/drills/raw-client.ts';
import { type DrillOutcome, runDrill } from '../../src/drills/run.ts';
import type { WatchedTrend } from '../../src/drills/samples.ts';
import type { Sample } from '../../src/drills/types.ts';
import type { HostileCounts, HostileLoad } from './load-types.ts';
import { until } from './settle.ts';

export interface SoakOptions {
  /** How long the loads run, ms. */
  readonly ms: number;
  readonly seed: number;
  /** Share of the honest requests whose upstream goes wrong. */
  readonly faultRate: number;
  /** Honest clients, and attackers of each hostile load, at once. */
  readonly clients: number;
  readonly attackers: number;
  /** Each attacker rests so long between two inputs, ms. */
  readonly pauseMs: number;
  readonly loads: readonly HostileLoad[];
  /** Where the proxy lives. */
  readonly home: string;
}

type Look = Omit<Sample, 's'>;

export interface SoakOutcome {
  readonly honest: DrillOutcome;
  readonly hostile: readonly (HostileCounts & { readonly name: string })[];
  readonly before: Look;
  readonly after: Look;
  readonly trends: readonly WatchedTrend[];
  /** Worker processes that ended without being told to. */
  readonly lost: number;
  /** The process that serves is the one that served at the start. */
  readonly samePids: boolean;
  readonly open: { readonly connections: number; readonly exchanges: number };
}

/** What the pool of upstream connections may keep: idle ones, for a credential and upstream each. */
const SPARE_HANDLES = 160;

const WARM_UP_COUNT = 100;

/** Runs it; the proxy ends with it. */
export async function hostileSoak(options: SoakOptions): Promise<SoakOutcome> {
  const { home, seed, faultRate } = options;
  const target = await openTarget({ home, twin: true, faultRate, faultSeed: seed }, false);
  try {
    // Records are read while the proxy runs on: it is looked at once more afterwards.
    const { session } = target.access;
    const ledger = path.join(home, 'logs', 'usage.jsonl');
    const view = proxyView({ home, ledger, session, stop: null });
    await warmUp(target, view);
    const before = await steady(view.look);
    const pids = await pidsOf(home);
    const stop = new AbortController();
    const attacked = {
      port: Number(target.access.url.port),
      ca: readFileSync(path.join(home, 'ca', 'ca-cert.pem'), 'utf8'),
    };
    const attacks = options.loads.map(async (load) => {
      const { attackers: concurrency, pauseMs } = options;
      const counts = await load.run(attacked, { seed, concurrency, pauseMs, stop: stop.signal });
      return { name: load.name, ...counts };
    });
    const minutes = options.ms / 60_000;
    const outcome = await runDrill({
      ...honest(target, view),
      plan: planOf('soak', { minutes, pauseMs: 0, concurrency: options.clients }),
    }).finally(() => stop.abort());
    const hostile = await Promise.all(attacks);
    await until(
      () => readStatus(home),
      ({ connections, exchanges }) => connections === 0 && exchanges.open === 0,
      'what is open after all',
    );
    const after = await steady(view.look);
    const status = await readStatus(home);
    return {
      honest: outcome,
      hostile,
      before,
      after,
      trends: outcome.trends,
      lost: status.workers_lost,
      samePids: (await pidsOf(home)).join() === pids.join(),
      open: { connections: status.connections, exchanges: status.exchanges.open },
    };
  } finally {
    await target.close();
  }
}

/** What is wrong with it; empty where nothing is. */
export function judgeSoak(outcome: SoakOutcome): string[] {
  const { before, after, open } = outcome;
  const wrong = outcome.honest.checks.flatMap(({ name, met, detail }) =>
    met === false ? [`honest ${name}: ${detail}`] : [],
  );
  for (const { name, surprises } of outcome.hostile) {
    wrong.push(...surprises.map((surprise) => `hostile ${name}: ${surprise}`));
  }
  if (outcome.lost > 0 || !outcome.samePids) wrong.push(`${outcome.lost} workers lost`);
  if (open.connections + open.exchanges > 0) wrong.push(`still open: ${JSON.stringify(open)}`);
  if (before.handles !== null && after.handles !== null) {
    const more = after.handles - before.handles;
    if (more > SPARE_HANDLES) wrong.push(`${more} file descriptors more than before`);
  }
  return wrong;
}

/** For people. */
export function describeSoak(outcome: SoakOutcome): string {
  const { before, after, honest: drill } = outcome;
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  const wrong = judgeSoak(outcome);
  const { whole, spoilt, exchanges } = drill.counts;
  return [
    `honest: ${exchanges} exchanges in ${drill.seconds.toFixed(0)} s, ${whole} whole, ${spoilt} as a fault left them`,
    ...drill.checks.map(({ name, met, detail }) => `  ${name}: ${met ?? '-'} (${detail})`),
    ...outcome.hostile.map(
      ({ name, inputs, kinds, surprises }) =>
        `hostile: ${inputs} inputs over ${name} ${JSON.stringify(kinds)}, ${surprises.length} surprises`,
    ),
    `processes: ${outcome.lost} workers lost, ${outcome.samePids ? 'the same as before' : 'others than before'}`,
    `memory: ${mb(before.rssBytes)} before, ${mb(after.rssBytes)} after; heap ${mb(before.heapBytes)}, ${mb(after.heapBytes)}`,
    `sockets: ${before.sockets} before, ${after.sockets} after; file descriptors ${before.handles}, ${after.handles}`,
    ...outcome.trends.map(
      ({ name, unit, slopePerMin, interval: [low, high], verdict }) =>
        `trend of ${name}: ${slopePerMin.toFixed(2)} ${unit} a minute [${low.toFixed(2)}, ${high.toFixed(2)}]: ${verdict}`,
    ),
    wrong.length === 0 ? 'verdict: met' : `verdict: NOT met\n  ${wrong.join('\n  ')}`,
  ].join('\n');
}

type Target = Awaited<ReturnType<typeof openTarget>>;
type View = ReturnType<typeof proxyView>;

function honest(target: Target, view: View): Omit<Parameters<typeof runDrill>[0], 'plan'> {
  return {
    client: () => createRawClient(target.access),
    proxy: view,
    twin: target.twin,
    simulated: true,
    stop: new AbortController().signal,
  };
}

/** What is opened once for all is open when it is looked at first; under a session of its own. */
async function warmUp(target: Target, view: View): Promise<void> {
  const access = { ...target.access, session: randomUUID() };
  await runDrill({
    ...honest(target, view),
    client: () => createRawClient(access),
    proxy: { look: view.look, records: async () => null },
    plan: planOf('burst', { count: WARM_UP_COUNT }),
  });
}

async function pidsOf(home: string): Promise<number[]> {
  const { pid, workers } = await readStatus(home);
  return [pid, ...workers.map((worker) => worker.pid)];
}

/** A look at a proxy that nobody uses. */
async function steady(look: View['look']): Promise<Look> {
  const seen = await look();
  if (seen === null) throw new Error('the proxy does not answer');
  return seen;
}
