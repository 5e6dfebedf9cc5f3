/** What a drill sees of a proxy: its status, its file descriptors, and its ledger. */
import { readdir } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '../../admin/client.ts';
import type { StatusReport } from '../../admin/types.ts';
import { DRILL_SETTLE_MS_MAX } from '../../core/limits.ts';
import type { ProxyView, Sample } from '../../drills/types.ts';
import { readUsage } from '../../ledger/read.ts';
import type { UsageRecord } from '../../ledger/record.ts';
import { sessionHash } from '../../ledger/session-hash.ts';

const POLL_MS = 50;

/** Which proxy, and which of its records. */
export interface ViewOptions {
  /** The home whose control socket and ledger it serves. */
  readonly home: string;
  readonly ledger: string;
  /** The session id that the drill's clients send. */
  readonly session: string;
  /** Ends the proxy, where it is the drill's own: its ledger is whole then. */
  readonly stop: (() => Promise<void>) | null;
}

/** Of the home's own proxy: its records hold all that the ledger has. */
export interface OwnView extends ProxyView {
  records(expected: number): Promise<AsyncIterable<UsageRecord>>;
}

/** The view of a proxy that runs for a home. */
export function proxyView(options: ViewOptions): OwnView {
  return {
    look: () => look(options.home),
    records: async (expected) => {
      if (options.stop === null) await settled(options, expected);
      else await options.stop();
      return recordsOf(options);
    },
  };
}

/** Of a proxy that is reached by its URL alone nothing can be seen. */
export const NO_VIEW: ProxyView = { look: async () => null, records: async () => null };

async function look(home: string): Promise<Omit<Sample, 's'>> {
  const status = await readStatus(home);
  return {
    rssBytes: status.memory.rss_bytes,
    heapBytes: status.memory.heap_bytes,
    sockets: socketsOf(status),
    handles: await handlesOf(new Set([status.pid, ...status.workers.map(({ pid }) => pid)])),
  };
}

function socketsOf(status: StatusReport): number {
  let sockets = status.connections + status.tunnels;
  for (const lane of status.lanes) sockets += lane.sockets_idle + lane.sockets_busy;
  return sockets;
}

/** Of all its processes. Null where the system does not tell: only Linux has the folder. */
async function handlesOf(pids: Iterable<number>): Promise<number | null> {
  try {
    let handles = 0;
    for (const pid of pids) handles += (await readdir(`/proc/${pid}/fd`)).length;
    return handles;
  } catch {
    return null;
  }
}

/** Waits, in bounded time, until the ledger has every record that it should. */
async function settled(options: ViewOptions, expected: number): Promise<void> {
  const until = performance.now() + DRILL_SETTLE_MS_MAX;
  while (performance.now() < until) {
    const open = await readStatus(options.home).then(
      (status) => status.exchanges.open,
      () => 0,
    );
    if (open === 0 && (await countOf(options)) >= expected) return;
    await wait(POLL_MS);
  }
}

async function countOf(options: ViewOptions): Promise<number> {
  let count = 0;
  for await (const _ of recordsOf(options)) count += 1;
  return count;
}

async function* recordsOf({ ledger, session }: ViewOptions): AsyncGenerator<UsageRecord> {
  const mark = sessionHash(session);
  const records: AsyncIterable<UsageRecord> = readUsage(ledger);
  for await (const record of records) {
    if (record.session === mark) yield record;
  }
}
