/**
 * The chaos drill: with so many streams open, something is done to the proxy, and it is looked at what
 * came of the streams, of the exchanges that arrived meanwhile, of processes, sockets and the ledger.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CHAOS_SETTLE_MS_MAX, CHAOS_UNWRITTEN_MS } from '../core/limits.ts';
import { ACTS, type Act, type ActName, type ChaosProxy } from './chaos-acts.ts';
import { type Check, judgeChaos } from './chaos-judge.ts';
import { createLoad, type Load, type Visit } from './chaos-load.ts';
import type { Access } from './types.ts';
import { createWitness, type Fault, type WitnessedTwin } from './witness.ts';

/** What a chaos drill runs with. */
export interface ChaosOptions {
  readonly access: Access;
  readonly proxy: ChaosProxy;
  readonly twin: WitnessedTwin;
  readonly acts: readonly ActName[];
  /** Streams that are open at each act. */
  readonly streams: number;
  /** From the opening of the streams to the act, ms. */
  readonly leadMs: number;
  /** Acts are repeated, in their order, for so long; null: each is done once. */
  readonly ms: number | null;
  readonly view: ChaosView;
  /** Ends the drill after the act under way. */
  readonly stop: AbortSignal;
  readonly onProgress?: (text: string) => void;
}

/** What can be seen from outside of the proxy. */
export interface ChaosView {
  /** Of these processes, those that still live. */
  living(pids: readonly number[]): readonly number[];
  /** Connections of clients that neither end has let go of; null where the system does not tell. */
  clientSockets(): Promise<number | null>;
  /** Connections at the upstreams that are none of the living proxy's. */
  upstreamSockets(): Promise<number>;
  /** Ends the proxy and reads its ledger. */
  ledger(): Promise<ChaosLedger>;
}

export interface ChaosLedger {
  /** Of this drill. */
  readonly records: number;
  /** Further records of one exchange. */
  readonly doubled: number;
  /** Lines that hold no record. */
  readonly damaged: number;
}

/** What came of one act. */
export interface ActOutcome {
  readonly act: Act;
  readonly workers: number;
  readonly streams: readonly Visit[];
  readonly arrivals: readonly Visit[];
  /** When it was done, and when the proxy was whole again; monotonic clock, ms. */
  readonly at: number;
  readonly restoredAt: number;
  /** Processes that should have ended. */
  readonly left: readonly number[];
  readonly clientSockets: number | null;
  readonly upstreamSockets: number;
}

export interface ChaosOutcome {
  readonly acts: readonly ActOutcome[];
  readonly faults: ReadonlyMap<Fault, number>;
  readonly exchanges: number;
  readonly ledger: ChaosLedger;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly checks: readonly Check[];
  readonly ok: boolean;
}

/** What streams outlast the act by: they are open while the proxy comes back. */
const STREAM_AFTER_MS = 3_000;
/** Arrivals go on for so long after the proxy is whole again. */
const ARRIVE_AFTER_MS = 500;
const POLL_MS = 20;

/** Runs it to its end. Rejects only where the drill itself is broken, or the proxy does not start again. */
export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  const faults = new Map<Fault, number>();
  const lost = new Set<string>();
  let exchanges = 0;
  const witness = createWitness(options.twin, (request, _heard, { fault }) => {
    // That a stream which was lost is cut is what it says itself.
    if (fault === null || (fault === 'cut' && lost.has(request.tag))) return;
    faults.set(fault, (faults.get(fault) ?? 0) + 1);
  });
  const load = createLoad(options.access, ({ request, heard }) => {
    exchanges += 1;
    if (heard.failure !== null) lost.add(request.tag);
    witness.heard(request, heard);
  });
  const settling = setInterval(() => witness.settle(), POLL_MS);
  const started = performance.now();
  const acts: ActOutcome[] = [];
  const secondsNow = (): number => (performance.now() - started) / 1000;
  try {
    do {
      for (const act of ACTS) {
        if (!options.acts.includes(act.name) || options.stop.aborted) continue;
        options.onProgress?.(`${act.does}, ${options.streams} streams open`);
        acts.push(await runAct(act, options, load));
      }
    } while (!options.stop.aborted && options.ms !== null && secondsNow() * 1000 < options.ms);
    await until(async () => {
      witness.settle();
      return witness.open === 0;
    });
  } finally {
    clearInterval(settling);
    await load.close();
  }
  witness.close();
  const seconds = secondsNow();
  const ledger = await options.view.ledger();
  const what = { acts, faults, exchanges, ledger, seconds, interrupted: options.stop.aborted };
  const checks = judgeChaos(what);
  return { ...what, checks, ok: checks.every(({ met }) => met) };
}

async function runAct(act: Act, options: ChaosOptions, load: Load): Promise<ActOutcome> {
  const { proxy, view, streams: count, leadMs } = options;
  const lasting = leadMs + STREAM_AFTER_MS;
  const streaming = Promise.all(Array.from({ length: count }, () => load.stream(lasting)));
  await until(async () => (await proxy.open()) >= count);
  const leave = load.arrive();
  await wait(leadMs);
  const before = await proxy.processes();
  const at = performance.now();
  await act.perform(proxy, before);
  const restoredAt = performance.now();
  await wait(ARRIVE_AFTER_MS);
  const arrivals = await leave();
  const streams = await streaming;
  let left: readonly number[] = [];
  let clientSockets: number | null = null;
  let upstreamSockets = 0;
  await until(async () => {
    left = view.living(act.mustEnd(before));
    clientSockets = await view.clientSockets();
    upstreamSockets = await view.upstreamSockets();
    return left.length === 0 && (clientSockets ?? 0) === 0 && upstreamSockets === 0;
  });
  const workers = before.workers.length;
  const found = { left, clientSockets, upstreamSockets };
  return { act, workers, streams, arrivals, at, restoredAt, ...found };
}

/** Exchanges of an act that may have no record: their process was killed before it could write. */
export function unwritten({ act, streams, arrivals, at }: ActOutcome): number {
  const kills = act.mayLose(1, 1) > 0;
  const isUnwritten = ({ heard, ended }: Visit): boolean => {
    if (!heard.sent) return false;
    if (heard.failure !== null) return true;
    return kills && ended <= at + POLL_MS && ended >= at - CHAOS_UNWRITTEN_MS;
  };
  return [...streams, ...arrivals].filter(isUnwritten).length;
}

/** Waits until something is so, in bounded time; what is not so by then is seen by what follows. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + CHAOS_SETTLE_MS_MAX;
  while (!(await isSo()) && performance.now() < deadline) await wait(POLL_MS);
}
