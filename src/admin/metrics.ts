/**
 * Counts exchanges for `/metrics`. Observing one is a map lookup and a few additions on plain
 * numbers; everything of Prometheus is loaded and made only when the metrics are read.
 */
import assert from 'node:assert';

import { METRIC_SERIES_MAX } from '../core/limits.ts';
import type { ExchangeSample, StatusReport } from './types.ts';

/** Upper bounds of the latency buckets, seconds: from a cached answer to the SDKs' own limit. */
const LATENCY_BOUNDS_S: readonly number[] = [
  0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600,
];
/** Upper bounds of the buckets of the time to the head of the answer, seconds. */
const TTFB_BOUNDS_S: readonly number[] = [
  0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 60, 300,
];
const MS_PER_S = 1000;
const OTHER = 'other';

/** Labels of one counted series. */
export interface SeriesLabels {
  readonly lane: string;
  readonly op: string;
  /** `2xx` to `5xx`, or `none` where the client got no status. */
  readonly status_class: string;
  readonly decision: string;
}

export interface Series {
  readonly labels: SeriesLabels;
  count: number;
}

/** A histogram as Prometheus counts it, but with the buckets not yet summed up. */
export interface Buckets {
  readonly labels: { readonly lane: string; readonly op: string };
  readonly bounds: readonly number[];
  /** One count a bound and one more for what lies above all. */
  readonly counts: number[];
  /** Seconds. */
  sum: number;
}

/** What has been counted since the start; plain values, so that workers can send it. */
export interface Counted {
  readonly series: readonly Series[];
  readonly latency: readonly Buckets[];
  readonly ttfb: readonly Buckets[];
}

export interface Metrics {
  /** Counts one ended exchange. Never throws. */
  observe(sample: ExchangeSample): void;
  counted(): Counted;
}

/** Counters that start at nought. */
export function createMetrics(): Metrics {
  const series = new Map<string, Series>();
  const latency = new Map<string, Buckets>();
  const ttfb = new Map<string, Buckets>();

  const seriesOf = (sample: ExchangeSample): Series => {
    const statusClass = classOf(sample.status);
    const key = `${sample.lane}\n${sample.op}\n${statusClass}\n${sample.decision}`;
    const known = series.get(key);
    if (known !== undefined) return known;
    const { lane, op, decision } = sample;
    const full = series.size >= METRIC_SERIES_MAX;
    const labels = full
      ? { lane: OTHER, op: OTHER, status_class: OTHER, decision: OTHER }
      : { lane, op, status_class: statusClass, decision };
    const place = full ? OTHER : key;
    return series.get(place) ?? put(series, place, { labels, count: 0 });
  };

  return {
    observe(sample) {
      seriesOf(sample).count += 1;
      add(bucketsOf(latency, sample, LATENCY_BOUNDS_S), sample.latency_ms);
      if (sample.ttfb_ms !== null) add(bucketsOf(ttfb, sample, TTFB_BOUNDS_S), sample.ttfb_ms);
    },
    counted: () => ({
      series: [...series.values()],
      latency: [...latency.values()],
      ttfb: [...ttfb.values()],
    }),
  };
}

/** Prometheus text of all that was counted, and of the gauges in the status. */
export async function metricsText(counted: Counted, status: StatusReport): Promise<string> {
  const { exposition } = await import('./exposition.ts');
  return exposition(counted, status);
}

function classOf(status: number | null): string {
  return status === null ? 'none' : `${Math.floor(status / 100)}xx`;
}

function bucketsOf(
  all: Map<string, Buckets>,
  sample: ExchangeSample,
  bounds: readonly number[],
): Buckets {
  const key = `${sample.lane}\n${sample.op}`;
  const known = all.get(key);
  if (known !== undefined) return known;
  const full = all.size >= METRIC_SERIES_MAX;
  const labels = full ? { lane: OTHER, op: OTHER } : { lane: sample.lane, op: sample.op };
  const place = full ? OTHER : key;
  const counts = new Array<number>(bounds.length + 1).fill(0);
  return all.get(place) ?? put(all, place, { labels, bounds, counts, sum: 0 });
}

function add(buckets: Buckets, milliseconds: number): void {
  const seconds = milliseconds / MS_PER_S;
  let index = 0;
  while (index < buckets.bounds.length && seconds > (buckets.bounds[index] ?? 0)) index += 1;
  const count = buckets.counts[index];
  assert(count !== undefined, 'there is a bucket above the last bound');
  buckets.counts[index] = count + 1;
  buckets.sum += seconds;
}

function put<Value>(map: Map<string, Value>, key: string, value: Value): Value {
  map.set(key, value);
  return value;
}
