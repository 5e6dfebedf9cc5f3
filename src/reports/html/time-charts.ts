/** Charts over time: counts stacked by series, and times as lines. */
import type { Series, Timeline } from '../timeline.ts';
import { compact, counted, duration } from '../words.ts';
import { type Drawing, toneOf, WIDE } from './frame.ts';
import { type Markup, markup } from './markup.ts';
import { linearScale, logScale, type Scale, timeTicks } from './scale.ts';

const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 24;
/** Width of a character at most. */
const CHARACTER = 7.5;
/** Dates and hours that fit below a wide and a narrow chart. */
const LABELS_WIDE = 7;
const LABELS_NARROW = 4;

type Steps = Pick<Timeline, 'from' | 'stepSeconds' | 'steps'>;

/** Bars over time, one on the other. */
export function stackedBars(
  time: Steps,
  series: readonly Series[],
  tone: (index: number) => string,
  width: number,
): Drawing {
  const totals = Array.from({ length: time.steps }, (_, step) =>
    series.reduce((sum, { values }) => sum + (values[step] ?? 0), 0),
  );
  const y = linearScale(Math.max(...totals), HEIGHT - BOTTOM, TOP);
  const slot = (width - LEFT - RIGHT) / time.steps;
  const gap = slot > 4 ? 1 : slot > 2 ? 0.5 : 0;
  const bars: Markup[] = [];
  for (let step = 0; step < time.steps; step += 1) {
    let base = 0;
    for (const [index, { name, values }] of series.entries()) {
      const value = values[step] ?? 0;
      if (value === 0) continue;
      const top = y.at(base + value);
      const title = `${momentOf(time, step)}, ${name}: ${counted(value)}`;
      bars.push(
        markup`<rect class="${tone(index)}" x="${LEFT + step * slot}" y="${top}" width="${slot - gap}" height="${y.at(base) - top}"><title>${title}</title></rect>`,
      );
      base += value;
    }
  }
  return { height: HEIGHT, content: [...axes(time, y, width, compact), ...bars] };
}

/** A line for the median of each series, and a dashed one for its 95th percentile. */
export function timeLines(
  time: Steps,
  p50: readonly Series[],
  p95: readonly Series[],
  width: number,
): Drawing {
  const all = [...p50, ...p95].flatMap(({ values }) => values.filter((value) => value !== null));
  const y = logScale(all, HEIGHT - BOTTOM, TOP);
  const slot = (width - LEFT - RIGHT) / time.steps;
  const x = (step: number): number => LEFT + (step + 0.5) * slot;
  const lines = p50.flatMap(({ name, values }, index) => {
    const upper = p95.find((other) => other.name === name)?.values ?? [];
    return [
      ...line(values, x, y, `line ${toneOf(index)}`),
      ...line(upper, x, y, `line dashed ${toneOf(index)}`),
      ...values.flatMap((value, step) => {
        if (value === null) return [];
        const title = `${momentOf(time, step)}, ${name}: p50 ${duration(value)}, p95 ${duration(upper[step] ?? undefined)}`;
        return [
          markup`<circle class="dot ${toneOf(index)}" cx="${x(step)}" cy="${y.at(value)}" r="2"><title>${title}</title></circle>`,
        ];
      }),
    ];
  });
  return { height: HEIGHT, content: [...axes(time, y, width, duration), ...lines] };
}

/** A line through the values that are there, broken where one is not. */
function line(
  values: readonly (number | null)[],
  x: (step: number) => number,
  y: Scale,
  tone: string,
): Markup[] {
  const pieces: string[][] = [[]];
  for (const [step, value] of values.entries()) {
    if (value === null) pieces.push([]);
    else pieces.at(-1)?.push(`${x(step).toFixed(1)},${y.at(value).toFixed(1)}`);
  }
  return pieces
    .filter((points) => points.length > 1)
    .map((points) => markup`<polyline class="${tone}" points="${points.join(' ')}"/>`);
}

function axes(time: Steps, y: Scale, width: number, name: (value: number) => string): Markup[] {
  const slot = (width - LEFT - RIGHT) / time.steps;
  const max = width === WIDE ? LABELS_WIDE : LABELS_NARROW;
  return [
    ...y.ticks.map(
      (value) =>
        markup`<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y.at(value)}" y2="${y.at(value)}"/><text class="end" x="${LEFT - 6}" y="${y.at(value) + 4}">${name(value)}</text>`,
    ),
    ...timeTicks(time.from, time.stepSeconds, time.steps, max)
      .map(({ step, label }) => ({ x: LEFT + step * slot, label }))
      .filter(({ x, label }) => x + label.length * CHARACTER <= width)
      .map(({ x, label }) => markup`<text x="${x}" y="${HEIGHT - 6}">${label}</text>`),
  ];
}

function momentOf(time: Steps, step: number): string {
  const iso = new Date((time.from + step * time.stepSeconds) * 1000).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
}
