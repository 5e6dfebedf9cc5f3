/** The figures of the report: which data each shows, its words, and the drawing that suits it. */
import { REPORT_KEYS_MAX } from '../../core/limits.ts';
import { listPrice, verdicts } from '../cost-text.ts';
import type { Costs } from '../cost-types.ts';
import type { Group, Metrics } from '../metrics.ts';
import type { Series, Timeline } from '../timeline.ts';
import { counted, dollars, duration, plainText, plural } from '../words.ts';
import { type Figure, figure, type Key, toneOf } from './frame.ts';
import { type Markup, markup } from './markup.ts';
import { type BarRow, bars, ranges } from './row-charts.ts';
import { stackedBars, timeLines } from './time-charts.ts';

/** What the page is made of. */
export interface PageData {
  readonly metrics: Metrics;
  readonly costs: Costs;
  /** Null where there is no exchange. */
  readonly timeline: Timeline | null;
}

/** Series of their own; what is beyond is drawn together as one more. */
const SERIES_MAX = 7;

/** All figures, in the order of the page. */
export function figures(data: PageData): Markup[] {
  const { timeline } = data;
  if (timeline === null) return [];
  const lanes = timeline.exchanges.map(({ name }) => name);
  /** A lane has one colour on the whole page. */
  const tone = (lane: string): string =>
    toneOf(Math.min(Math.max(lanes.indexOf(lane), 0), SERIES_MAX));
  return [
    requests(timeline),
    errors(timeline),
    latencyOverTime(timeline),
    latency(data, tone),
    tokens(data),
    cost(data, tone),
  ].map(figure);
}

function requests(timeline: Timeline): Figure {
  const series = gathered(timeline.exchanges);
  return {
    title: 'Requests by lane',
    description: `exchanges in steps of ${stepName(timeline.stepSeconds)}; ${sums(series)}`,
    legend: keysOf(series),
    draw: (width) => stackedBars(timeline, series, toneOf, width),
    table: stepTable(timeline, series, (value) => counted(value)),
  };
}

function latencyOverTime(timeline: Timeline): Figure {
  const p50 = timeline.p50.slice(0, SERIES_MAX);
  const rows = p50.flatMap(({ name, values }) => {
    const upper = timeline.p95.find((other) => other.name === name)?.values ?? [];
    return [
      { name: `${name} p50`, values },
      { name: `${name} p95`, values: upper },
    ];
  });
  return {
    title: 'Latency over time',
    description: 'to the last byte: median of each lane, dashed its 95th percentile; logarithmic',
    legend: [...keysOf(p50), { tone: 'faint', name: 'dashed: p95' }],
    draw: (width) => timeLines(timeline, p50, timeline.p95, width),
    table: stepTable(timeline, rows, (value) => duration(value)),
  };
}

function latency({ metrics }: PageData, tone: (lane: string) => string): Figure {
  const groups = largest(metrics.by.lane_op);
  const rows = groups.flatMap(([label, { latency_ms: times }]) =>
    times === null ? [] : [{ label, times, tone: tone(label.split('/')[0] ?? '') }],
  );
  return {
    title: 'Latency by lane and operation',
    description: 'to the last byte, from the median over p95 and p99 to the longest; logarithmic',
    legend: [],
    draw: (width) => ranges(rows, width),
    table: [
      ['', 'exchanges', 'p50', 'p95', 'p99', 'max', 'TTFB p50', 'TTFB p95'],
      ...groups.map(([key, { exchanges, latency_ms: times, ttfb_ms: heads }]) => [
        plainText(key),
        counted(exchanges),
        duration(times?.p50),
        duration(times?.p95),
        duration(times?.p99),
        duration(times?.max),
        duration(heads?.p50),
        duration(heads?.p95),
      ]),
    ],
  };
}

function errors(timeline: Timeline): Figure {
  const series = timeline.errors;
  // Warm tones first; the lanes have those that the other charts begin with.
  const tone = (index: number): string => toneOf([6, 4, 3, 5, 7, 2][index] ?? 0);
  return {
    title: 'Errors by type',
    description:
      series.length === 0
        ? 'none'
        : `in steps of ${stepName(timeline.stepSeconds)}; ${sums(series)}`,
    legend: series.map(({ name }, index) => ({ tone: tone(index), name: plainText(name) })),
    draw: (width) => stackedBars(timeline, series, tone, width),
    note: series.length === 0 ? markup`<p class="soft">No error in this time.</p>` : null,
    table: series.length === 0 ? [] : stepTable(timeline, series, (value) => counted(value)),
  };
}

const TOKEN_KINDS = [
  ['input', 'fresh input'],
  ['cache_read', 'cache read'],
  ['cache_write', 'cache write'],
  ['output', 'output'],
] as const;

function tokens({ metrics }: PageData): Figure {
  const groups = largest(metrics.by.lane);
  const rows = groups.flatMap(([lane, { tokens: sums }]) =>
    TOKEN_KINDS.map(
      ([kind, name], index): BarRow => ({
        label: `${plainText(lane)}, ${name}`,
        value: sums[kind],
        text: counted(sums[kind]),
        tone: toneOf(index + 2),
      }),
    ),
  );
  return {
    title: 'Tokens by lane',
    description: 'as upstreams reported them',
    legend: [],
    draw: (width) => bars(rows, width),
    note: markup`<p class="soft">As upstreams counted them: those of GLM are not those of Claude.</p>`,
    table: [
      ['', ...TOKEN_KINDS.map(([, name]) => name), 'exchanges that told'],
      ...groups.map(([lane, { tokens: sums }]) => [
        plainText(lane),
        ...TOKEN_KINDS.map(([kind]) => counted(sums[kind])),
        counted(sums.exchanges),
      ]),
    ],
  };
}

function cost({ costs }: PageData, tone: (lane: string) => string): Figure {
  const rows = costs.lanes.flatMap(({ lane, plan, list, comparison }): BarRow[] => {
    const name = plainText(lane);
    const here: BarRow = {
      label: `${name}, list price${plan ? ' (a plan pays)' : ''}`,
      value: list?.dollars ?? 0,
      text: list === null ? listPrice(list) : `${listPrice(list)} ${list.basis}`,
      tone: tone(lane),
    };
    if (comparison === null) return [here];
    const there: BarRow = {
      label: `${name}, on ${plainText(costs.assumed.default_lane)} instead`,
      value: comparison.default_dollars,
      text: `${dollars(comparison.default_dollars)} estimated`,
      tone: `${tone(lane)} faint`,
    };
    return [here, there];
  });
  const said = verdicts(costs).map(
    (line) => markup`<p class="${line.includes(' LOST ') ? 'bad' : 'said'}">${line}</p>`,
  );
  const models = [...new Set(costs.unknown.map(({ model }) => plainText(model)))];
  const unpriced =
    models.length === 0
      ? null
      : markup`<p class="bad">Without a price, so in no amount: ${models.slice(0, REPORT_KEYS_MAX).join(', ')}.</p>`;
  return {
    title: 'Cost by lane',
    description: `at the list prices of ${costs.prices.version}`,
    legend: [],
    draw: (width) => bars(rows, width),
    note: markup`${said}${unpriced}<p class="soft">Prices of ${costs.prices.version}; caches taken as kept for ${costs.assumed.cache_ttl}. What another model would have cost takes the same token counts.</p>`,
    table: [
      ['asked > billed', 'lane', 'charged', 'list price', 'on the default lane', 'saved'],
      ...costs.models
        .slice(0, REPORT_KEYS_MAX)
        .map(({ lane, asked, billed, exchanges, list, comparison }) => [
          asked === billed ? plainText(asked) : `${plainText(asked)} > ${plainText(billed)}`,
          plainText(lane),
          counted(exchanges),
          listPrice(list),
          comparison === null ? '-' : dollars(comparison.default_dollars),
          comparison === null ? '-' : dollars(comparison.saved),
        ]),
    ],
  };
}

/** The busiest series, and the sum of the others where there are more than the chart has colours for. */
function gathered(series: readonly Series[]): readonly Series[] {
  if (series.length <= SERIES_MAX + 1) return series;
  const others = series.slice(SERIES_MAX);
  const values = (series[0]?.values ?? []).map((_, step) =>
    others.reduce((sum, other) => sum + (other.values[step] ?? 0), 0),
  );
  return [...series.slice(0, SERIES_MAX), { name: plural(others.length, 'other'), values }];
}

function keysOf(series: readonly Series[]): Key[] {
  return series.map(({ name }, index) => ({ tone: toneOf(index), name: plainText(name) }));
}

function sums(series: readonly Series[]): string {
  return series
    .map(({ name, values }) => {
      const sum = values.reduce<number>((total, value) => total + (value ?? 0), 0);
      return `${plainText(name)} ${counted(sum)}`;
    })
    .join(', ');
}

/** Steps in which something happened, a row each. */
function stepTable(
  { from, stepSeconds, steps }: Timeline,
  series: readonly Series[],
  text: (value: number) => string,
): string[][] {
  const rows = Array.from({ length: steps }, (_, step) => {
    const iso = new Date((from + step * stepSeconds) * 1000).toISOString();
    const values = series.map(({ values: of }) => of[step] ?? null);
    return { time: `${iso.slice(0, 10)} ${iso.slice(11, 19)}`, values };
  });
  return [
    ['UTC', ...series.map(({ name }) => plainText(name))],
    ...rows
      .filter(({ values }) => values.some((value) => value !== null && value !== 0))
      .map(({ time, values }) => [
        time,
        ...values.map((value) => (value === null ? '-' : text(value))),
      ]),
  ];
}

function largest(groups: Metrics['by']['lane']): [string, Group][] {
  return Object.entries(groups)
    .sort(([a, m], [b, n]) => n.exchanges - m.exchanges || (a < b ? -1 : 1))
    .slice(0, REPORT_KEYS_MAX);
}

function stepName(seconds: number): string {
  if (seconds < 60) return plural(seconds, 'second');
  if (seconds < 3_600) return plural(seconds / 60, 'minute');
  if (seconds < 86_400) return plural(seconds / 3_600, 'hour');
  return plural(seconds / 86_400, 'day');
}
