/**
 * One picture of several worker processes: counts add up, facts of the configuration are those of
 * the first report. What a worker counted stays counted when it has ended.
 */
import type { Buckets, Counted, Series } from './metrics.ts';
import type { LaneStatus, StatusReport } from './types.ts';

/** What a worker tells of itself. */
export interface WorkerReport {
  readonly status: StatusReport;
  readonly counted: Counted;
}

/** What a worker leaves behind: its counts, without anything that is open or held. */
export function ended({ status, counted }: WorkerReport): WorkerReport {
  const lanes = status.lanes.map((lane) => ({ ...lane, sockets_idle: 0, sockets_busy: 0 }));
  const closed = {
    ...status,
    lanes,
    connections: 0,
    tunnels: 0,
    exchanges: { open: 0, total: status.exchanges.total },
    memory: { rss_bytes: 0, heap_bytes: 0 },
    workers: [],
  };
  return { status: closed, counted };
}

/** Both as one; whose configuration is told is the first. */
export function merge(first: WorkerReport, second: WorkerReport): WorkerReport {
  return {
    status: mergeStatus(first.status, second.status),
    counted: mergeCounted(first.counted, second.counted),
  };
}

function mergeStatus(a: StatusReport, b: StatusReport): StatusReport {
  return {
    ...a,
    lanes: a.lanes.map((lane) => {
      const other = b.lanes.find(({ name }) => name === lane.name);
      return other === undefined ? lane : mergeLane(lane, other);
    }),
    connections: a.connections + b.connections,
    tunnels: a.tunnels + b.tunnels,
    exchanges: {
      open: a.exchanges.open + b.exchanges.open,
      total: a.exchanges.total + b.exchanges.total,
    },
    ledger: {
      ...a.ledger,
      written: a.ledger.written + b.ledger.written,
      dropped: a.ledger.dropped + b.ledger.dropped,
      fault: a.ledger.fault ?? b.ledger.fault,
    },
    memory: {
      rss_bytes: a.memory.rss_bytes + b.memory.rss_bytes,
      heap_bytes: a.memory.heap_bytes + b.memory.heap_bytes,
    },
    workers: [...a.workers, ...b.workers],
    notes: [...new Set([...a.notes, ...b.notes])],
  };
}

function mergeLane(a: LaneStatus, b: LaneStatus): LaneStatus {
  return {
    ...a,
    exchanges: a.exchanges + b.exchanges,
    errors: a.errors + b.errors,
    sockets_idle: a.sockets_idle + b.sockets_idle,
    sockets_busy: a.sockets_busy + b.sockets_busy,
  };
}

function mergeCounted(a: Counted, b: Counted): Counted {
  return {
    series: addUp([...a.series, ...b.series], (one, two) => ({
      ...one,
      count: one.count + two.count,
    })),
    latency: addUp([...a.latency, ...b.latency], addBuckets),
    ttfb: addUp([...a.ttfb, ...b.ttfb], addBuckets),
  };
}

/** One for each set of labels. */
function addUp<Item extends Series | Buckets>(
  items: readonly Item[],
  add: (one: Item, two: Item) => Item,
): Item[] {
  const byLabels = new Map<string, Item>();
  for (const item of items) {
    const key = JSON.stringify(item.labels);
    const known = byLabels.get(key);
    byLabels.set(key, known === undefined ? item : add(known, item));
  }
  return [...byLabels.values()];
}

function addBuckets(one: Buckets, two: Buckets): Buckets {
  const counts = one.counts.map((count, index) => count + (two.counts[index] ?? 0));
  return { ...one, counts, sum: one.sum + two.sum };
}
