/**
 * The Prometheus text of `/metrics`, made from counts and from the status. Loaded only when the
 * metrics are read, for prom-client's sake.
 *
 * The counts are handed to prom-client as finished metrics (its way of adding up workers), since
 * its own counters would have to be fed on the hot path.
 */
import prometheus from 'prom-client';

import type { Buckets, Counted } from './metrics.ts';
import type { LaneStatus, StatusReport } from './types.ts';

type Labels = Readonly<Record<string, string>>;

interface Value {
  readonly value: number;
  readonly labels: Labels;
  readonly metricName?: string;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator: 'first';
  readonly values: readonly Value[];
}

/** The text format 0.0.4 of everything that is counted. */
export function exposition(counted: Counted, status: StatusReport): Promise<string> {
  const metrics = [
    exchangesTotal(counted),
    histogram('lanekeeper_latency_seconds', 'To the last byte of an answer.', counted.latency),
    histogram('lanekeeper_ttfb_seconds', 'To the head of an answer.', counted.ttfb),
    ...gauges(status),
    ...lanes(status.lanes),
  ];
  return prometheus.AggregatorRegistry.aggregate([metrics]).metrics();
}

function exchangesTotal(counted: Counted): Metric {
  const values: Value[] = [];
  for (const series of counted.series) {
    values.push({ value: series.count, labels: { ...series.labels } });
  }
  return metric('counter', 'lanekeeper_exchanges_total', 'Exchanges that have ended.', values);
}

function histogram(name: string, help: string, all: readonly Buckets[]): Metric {
  const values: Value[] = [];
  for (const { labels, bounds, counts, sum } of all) {
    let below = 0;
    for (const [index, count] of counts.entries()) {
      below += count;
      const bound = bounds[index];
      const le = bound === undefined ? '+Inf' : String(bound);
      values.push({ value: below, labels: { ...labels, le }, metricName: `${name}_bucket` });
    }
    values.push({ value: sum, labels, metricName: `${name}_sum` });
    values.push({ value: below, labels, metricName: `${name}_count` });
  }
  return metric('histogram', name, help, values);
}

function gauges(status: StatusReport): Metric[] {
  const { exchanges, ledger, memory } = status;
  const version = [{ value: 1, labels: { version: status.version } }];
  return [
    metric('gauge', 'lanekeeper_info', 'The version that runs.', version),
    single('gauge', 'lanekeeper_start_time_seconds', 'Start, Unix seconds.', status.started),
    single('gauge', 'lanekeeper_exchanges_open', 'Exchanges under way.', exchanges.open),
    single(
      'gauge',
      'lanekeeper_client_connections',
      'Open connections of clients.',
      status.connections,
    ),
    single('gauge', 'lanekeeper_workers', 'Worker processes.', status.workers.length),
    single(
      'counter',
      'lanekeeper_workers_lost_total',
      'Workers that ended unasked and were replaced.',
      status.workers_lost,
    ),
    single('gauge', 'lanekeeper_tunnels', 'Open tunnels.', status.tunnels),
    single(
      'gauge',
      'lanekeeper_paused',
      '1: every exchange takes the default lane.',
      status.paused ? 1 : 0,
    ),
    single(
      'gauge',
      'lanekeeper_force_haiku',
      '1: every Haiku model is forced to its lane.',
      status.force ? 1 : 0,
    ),
    single('counter', 'lanekeeper_ledger_written_total', 'Ledger records written.', ledger.written),
    single('counter', 'lanekeeper_ledger_dropped_total', 'Ledger records dropped.', ledger.dropped),
    single('gauge', 'lanekeeper_resident_memory_bytes', 'Resident memory.', memory.rss_bytes),
    single('gauge', 'lanekeeper_heap_bytes', 'JavaScript heap in use.', memory.heap_bytes),
  ];
}

function lanes(all: readonly LaneStatus[]): Metric[] {
  const sockets: Value[] = [];
  const errors: Value[] = [];
  for (const { name: lane, sockets_idle, sockets_busy, errors: failed } of all) {
    sockets.push({ value: sockets_idle, labels: { lane, state: 'idle' } });
    sockets.push({ value: sockets_busy, labels: { lane, state: 'busy' } });
    errors.push({ value: failed, labels: { lane } });
  }
  return [
    metric('gauge', 'lanekeeper_upstream_sockets', 'Sockets to the upstream of a lane.', sockets),
    metric('counter', 'lanekeeper_lane_errors_total', 'Exchanges of a lane that failed.', errors),
  ];
}

function single(type: Metric['type'], name: string, help: string, value: number): Metric {
  return metric(type, name, help, [{ value, labels: {} }]);
}

function metric(
  type: Metric['type'],
  name: string,
  help: string,
  values: readonly Value[],
): Metric {
  return { name, help, type, aggregator: 'first', values };
}
