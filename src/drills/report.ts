/** A drill in words: the line while it runs, what is printed at its end, and the same as JSON. */
import type { Histogram, Quantiles } from './histogram.ts';
import type { LedgerCount } from './ledger-check.ts';
import type { DrillOutcome, Progress } from './run.ts';
import type { WatchedTrend } from './samples.ts';
import type { Counts, FaultCount } from './tally.ts';
import { type Check, misroutesIn } from './verdict.ts';

/** How it is called what the drill ran against and with. */
export interface Setting {
  readonly client: string;
  readonly via: 'connect' | 'gateway';
  /** Such as `twin` or the proxy's URL. */
  readonly against: string;
  /** Path of the ledger, or null. */
  readonly evidence: string | null;
}

/** One line of how it goes. */
export function progressLine({ seconds, counts, sample }: Progress): string {
  const errors = sumOf(counts.errors);
  const lanes = [...counts.lanes].map(([lane, count]) => `${lane} ${count}`).join(', ');
  const parts = [
    duration(seconds),
    `${counts.exchanges} done`,
    `${rate(counts.exchanges, seconds)}/s`,
    `${errors} errors`,
    lanes === '' ? 'no lane yet' : lanes,
  ];
  const times = counts.latency.summary();
  if (times !== null) parts.push(`p50 ${ms(times.p50)} p95 ${ms(times.p95)}`);
  if (sample !== null) parts.push(`rss ${(sample.rssBytes / 1e6).toFixed(1)} MB`);
  return parts.join('  ');
}

/** What is printed at the end. */
export function describe(outcome: DrillOutcome, setting: Setting): string {
  const { plan, counts, ledger, seconds, interrupted } = outcome;
  const errors = [...counts.errors].map(([kind, count]) => `${kind} ${count}`).join(', ');
  const lanes = [...counts.lanes].map(([lane, count]) => `${lane} ${count}`).join(', ');
  const lines = [
    `drill ${plan.name}: ${setting.client} client, ${setting.via}, against ${setting.against}` +
      `${interrupted ? '; INTERRUPTED' : ''}${outcome.final ? '' : '; SO FAR'}`,
    '',
    `exchanges  ${counts.exchanges} in ${seconds.toFixed(1)} s, ${rate(counts.exchanges, seconds)}/s, ` +
      `${(counts.bytes / 1e6).toFixed(1)} MB of answers`,
    `lanes      ${lanes || 'none'}`,
    `whole      ${counts.whole}`,
    ...faultLines(counts),
    `misroutes  ${counts.misroutes}`,
    `stalls     ${counts.stalls}`,
    `errors     ${errors || 'none'}`,
    `records    ${ledger === null ? 'no ledger to read' : ledger.records}`,
    `latency    ${quantiles(counts.latency)}`,
    `ttfb       ${quantiles(counts.ttfb)}`,
    ...outcome.trends.map(trendLine),
    '',
    ...outcome.checks.map(checkLine),
  ];
  if (setting.evidence !== null) lines.push('', `evidence: ${setting.evidence}`);
  return lines.join('\n');
}

/** The same as a value to be printed as JSON. */
export function summary(outcome: DrillOutcome, setting: Setting) {
  const { plan, counts, ledger, seconds } = outcome;
  return {
    ok: outcome.ok,
    drill: plan.name,
    ...setting,
    concurrency: plan.concurrency,
    pause_ms: plan.pauseMs,
    alternates: plan.alternation,
    interrupted: outcome.interrupted,
    final: outcome.final,
    seconds: round(seconds),
    exchanges: counts.exchanges,
    rate_per_s: round(counts.exchanges / Math.max(seconds, 0.001)),
    whole: counts.whole,
    compared_with_upstreams: outcome.witnessed,
    misroutes: counts.misroutes,
    stalls: counts.stalls,
    abandoned: counts.abandoned,
    errors: Object.fromEntries(counts.errors),
    spoilt: counts.spoilt,
    faults: Object.fromEntries(counts.faults),
    retried: counts.retried,
    lanes: Object.fromEntries(counts.lanes),
    answer_bytes: counts.bytes,
    latency_ms: rounded(counts.latency.summary()),
    ttfb_ms: rounded(counts.ttfb.summary()),
    ledger:
      ledger === null
        ? null
        : {
            records: ledger.records,
            misroutes: misroutesIn(ledger, counts, outcome.agent),
            retries: ledger.retries,
            decisions: Object.fromEntries(ledger.decisions),
            classes: classesOf(ledger.classes),
          },
    isolation: outcome.isolation,
    trends: Object.fromEntries(outcome.trends.map((trend) => [trend.name, trendValue(trend)])),
    checks: outcome.checks,
  };
}

/** Nothing where no fault was met. */
function faultLines({ faults, spoilt, retried }: Counts): string[] {
  if (faults.size === 0) return [];
  const kinds = [...faults].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `faults     ${spoilt} exchanges met one and were delivered as sent, ${retried} tried twice`,
    ...kinds.map(([kind, count]) => `           ${kind}: ${faultText(count)}`),
  ];
}

function faultText({ met, delivered }: FaultCount): string {
  return `met ${met}, delivered as sent ${delivered}`;
}

/** How many records of each class. */
function classesOf(classes: LedgerCount['classes']): Record<string, number> {
  return Object.fromEntries([...classes].map(([name, { count }]) => [name, count]));
}

function trendValue(trend: WatchedTrend) {
  const { readings, unit, first, last, max, slopePerMin, interval, zero, boundPerMin, verdict } =
    trend;
  return {
    unit,
    readings,
    first: round(first),
    last: round(last),
    max: round(max),
    slope_per_min: round(slopePerMin),
    interval_95: interval.map(round),
    indistinguishable_from_0: zero === 'holds',
    bound_per_min: boundPerMin,
    verdict,
  };
}

/** Where the interval lies, in words. */
const ZERO = { holds: 'holds 0', above: 'lies above 0', below: 'lies below 0' } as const;

function trendLine(trend: WatchedTrend): string {
  const { name, unit, first, last, max, slopePerMin, interval, zero, verdict, readings } = trend;
  const [low, high] = interval;
  const of = unit === '' ? '' : ` ${unit}`;
  return (
    `${name.padEnd(10)} ${first.toFixed(1)} to ${last.toFixed(1)}${of}, max ${max.toFixed(1)}; ` +
    `slope ${signed(slopePerMin)}${of}/min, 95 % [${signed(low)}, ${signed(high)}] ` +
    `${ZERO[zero]}, ${readings} readings: ${verdict}`
  );
}

function checkLine({ name, met, detail }: Check): string {
  const mark = met === null ? 'not judged' : met ? 'met' : 'NOT MET';
  return `${mark.padEnd(10)} ${name}: ${detail}`;
}

function quantiles(histogram: Histogram): string {
  const times = histogram.summary();
  if (times === null) return 'none';
  const { p50, p95, p99, max } = times;
  return `p50 ${ms(p50)}, p95 ${ms(p95)}, p99 ${ms(p99)}, max ${ms(max)}`;
}

function rounded(times: Quantiles | null) {
  if (times === null) return null;
  const { p50, p95, p99, max } = times;
  return { p50: round(p50), p95: round(p95), p99: round(p99), max: round(max) };
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
}

function rate(count: number, seconds: number): string {
  return (count / Math.max(seconds, 0.001)).toFixed(1);
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(3)}`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
