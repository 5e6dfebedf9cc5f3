/** The drill `ab` in words: the line while it runs, what is printed at its end, and the same as JSON. */
import type { AbOutcome, AbProgress, AbSideOutcome } from './ab.ts';
import type { Comparison, Estimate } from './ab-compare.ts';
import type { AbCase } from './ab-plan.ts';
import type { Check } from './verdict.ts';

/** One comparison, and where its ledgers lie. */
export interface AbEvidence {
  readonly outcome: AbOutcome;
  /** Paths of the ledgers of A and B. */
  readonly ledgers: readonly string[];
}

/** How it is called what the drill ran with. */
export interface AbHow {
  readonly client: string;
  readonly via: 'connect' | 'gateway';
}

/** One line of how it goes. */
export function abProgressLine({ name, pairs }: AbCase, progress: AbProgress): string {
  const of = pairs === null ? '' : ` of ${pairs}`;
  const { seconds, exchanges } = progress;
  return `${name}  ${seconds.toFixed(0)} s  ${progress.pairs}${of} pairs  ${exchanges} exchanges`;
}

/** What is printed at the end. */
export function describeAb(all: readonly AbEvidence[], { client, via }: AbHow): string {
  const lines = [`drill ab: ${client} client, ${via}, proxies of its own, the twin behind them`];
  for (const { outcome, ledgers } of all) {
    const { plan, a, b } = outcome;
    const of = (side: AbSideOutcome): string =>
      `${side.label}: ${side.counts.whole} of ${side.counts.exchanges} whole`;
    lines.push(
      '',
      `${plan.name}${outcome.interrupted ? '; INTERRUPTED' : ''}`,
      `  A  ${of(a)}`,
      `  B  ${of(b)}`,
      `  ${loadOf(plan)}; ${outcome.seconds.toFixed(1)} s`,
      ...outcome.comparisons.flatMap(comparisonLines),
      ...checksOf(outcome).map((check) => `  ${checkLine(check)}`),
      ...ledgers.map((ledger) => `  evidence: ${ledger}`),
    );
  }
  return lines.join('\n');
}

/** The same as a value to be printed as JSON. */
export function summaryAb(all: readonly AbEvidence[], { client, via }: AbHow) {
  return {
    ok: all.every(({ outcome }) => outcome.ok),
    drill: 'ab' as const,
    client,
    via,
    interrupted: all.some(({ outcome }) => outcome.interrupted),
    comparisons: all.map(({ outcome, ledgers }) => ({
      name: outcome.plan.name,
      ok: outcome.ok,
      interrupted: outcome.interrupted,
      seconds: round(outcome.seconds),
      concurrency: outcome.plan.block.concurrency,
      block_exchanges: outcome.plan.block.count,
      prompt_bytes: outcome.plan.block.promptBytes,
      emulated_rtt_ms: outcome.plan.rttMs,
      a: sideValue(outcome.a),
      b: sideValue(outcome.b),
      quantities: Object.fromEntries(
        outcome.comparisons.map((one) => [one.name, quantityValue(one)]),
      ),
      checks: checksOf(outcome),
      evidence: ledgers,
    })),
  };
}

/** What it found, a line for each quantity, and what it checked; for whoever keeps it. */
export function findingsOfAb({ outcome }: AbEvidence): Check[] {
  const { plan, comparisons } = outcome;
  const found = comparisons.map((one): Check => {
    const name = `${plan.name} ${one.name}`;
    const detail = comparisonLines(one)
      .map((line) => line.trim().replace(/ {2,}/g, ' '))
      .join('; ');
    return { name, met: null, detail };
  });
  const checks = checksOf(outcome).map((check) => ({
    ...check,
    name: `${plan.name} ${check.name}`,
  }));
  return [...found, ...checks];
}

function loadOf({ block, rttMs }: AbCase): string {
  const size = block.promptBytes === 0 ? '' : ` of ${block.promptBytes / 1e6} MB each`;
  const rtt = rttMs === 0 ? '' : `; an emulated round trip of ${rttMs} ms to the twin`;
  return `blocks of ${block.count} exchanges${size}, ${block.concurrency} clients${rtt}`;
}

function comparisonLines(one: Comparison): string[] {
  const { name, unit, pairs, a, b, difference, ratio, verdict } = one;
  return [
    `  ${name.padEnd(10)} A ${figure(a)} ${unit}, B ${figure(b)} ${unit}: ${verdict}`,
    `  ${''.padEnd(10)} B - A ${withInterval(difference, signed)} ${unit}, ` +
      `B / A ${withInterval(ratio, (value) => value.toFixed(3))}, ${pairs} pairs`,
  ];
}

/** The checks of both sides, named for them, and the one of both together. */
function checksOf({ a, b, sides }: AbOutcome): Check[] {
  const named = (side: string, { checks }: AbSideOutcome): Check[] =>
    checks.map((check) => ({ ...check, name: `${side} ${check.name}` }));
  return [...named('A', a), ...named('B', b), sides];
}

function sideValue({ label, counts, latency, ttfb, h2, headerModes }: AbSideOutcome) {
  return {
    label,
    exchanges: counts.exchanges,
    whole: counts.whole,
    misroutes: counts.misroutes,
    stalls: counts.stalls,
    abandoned: counts.abandoned,
    errors: Object.fromEntries(counts.errors),
    lanes: Object.fromEntries(counts.lanes),
    h2,
    header_modes: Object.fromEntries(headerModes),
    latency_ms: latency.summary(),
    ttfb_ms: ttfb.summary(),
  };
}

function quantityValue({ unit, pairs, a, b, difference, ratio, verdict }: Comparison) {
  return {
    unit,
    pairs,
    a: round(a),
    b: round(b),
    difference: round(difference.value),
    difference_95: difference.interval?.map(round) ?? null,
    ratio: round(ratio.value),
    ratio_95: ratio.interval?.map(round) ?? null,
    verdict,
  };
}

function withInterval({ value, interval }: Estimate, told: (value: number) => string): string {
  if (interval === null) return told(value);
  return `${told(value)} [${told(interval[0])}, ${told(interval[1])}]`;
}

function checkLine({ name, met, detail }: Check): string {
  const mark = met === null ? 'not judged' : met ? 'met' : 'NOT MET';
  return `${mark.padEnd(10)} ${name}: ${detail}`;
}

function figure(value: number): string {
  return value < 100 ? value.toFixed(2) : value.toFixed(0);
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${figure(value)}`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
