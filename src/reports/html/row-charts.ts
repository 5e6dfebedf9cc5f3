/** Charts of rows: bars with their values, and ranges of times. Labels stand above, so they always fit. */
import type { Times } from '../metrics.ts';
import { duration } from '../words.ts';
import { type Drawing, WIDE } from './frame.ts';
import { type Markup, markup } from './markup.ts';
import { logScale } from './scale.ts';

const ROW = 34;
const EDGE = 6;
const AXIS = 22;

export interface BarRow {
  readonly label: string;
  readonly value: number;
  /** The value as it is read. */
  readonly text: string;
  readonly tone: string;
}

/** Bars on one scale from 0. */
export function bars(rows: readonly BarRow[], width: number): Drawing {
  const max = Math.max(...rows.map(({ value }) => value), Number.MIN_VALUE);
  const content = rows.map(({ label, value, text, tone }, index) => {
    const top = index * ROW;
    const length = Math.max(value > 0 ? 1.5 : 0, (value / max) * width);
    return markup`<text x="0" y="${top + 14}">${label}</text><text class="end strong" x="${width}" y="${top + 14}">${text}</text><rect class="track" x="0" y="${top + 20}" width="${width}" height="8" rx="4"/><rect class="${tone}" x="0" y="${top + 20}" width="${length}" height="8" rx="${Math.min(4, length / 2)}"/>`;
  });
  return { height: rows.length * ROW, content };
}

export interface RangeRow {
  readonly label: string;
  readonly times: Times;
  readonly tone: string;
}

/** From p50 over p95 to p99 on a logarithmic scale, and the longest as a ring. */
export function ranges(rows: readonly RangeRow[], width: number): Drawing {
  const values = rows.flatMap(({ times }) => [times.p50, times.max]);
  const x = logScale(values, EDGE, width - EDGE - (width === WIDE ? 24 : 14));
  const bottom = rows.length * ROW + 4;
  const grid = x.ticks.map(
    (value) =>
      markup`<line class="grid" x1="${x.at(value)}" x2="${x.at(value)}" y1="0" y2="${bottom}"/><text class="middle" x="${Math.max(x.at(value), 18)}" y="${bottom + 14}">${duration(value)}</text>`,
  );
  return {
    height: bottom + AXIS,
    content: [...grid, ...rows.map((row, index) => range(row, index * ROW, x.at, width))],
  };
}

function range(
  { label, times, tone }: RangeRow,
  top: number,
  at: (value: number) => number,
  width: number,
): Markup {
  const { p50, p95, p99, max } = times;
  const facts = `p50 ${duration(p50)} · p95 ${duration(p95)}`;
  const more = width === WIDE ? `${facts} · p99 ${duration(p99)} · max ${duration(max)}` : facts;
  const y = top + 25;
  return markup`<text x="0" y="${top + 14}">${label}</text><text class="end" x="${width}" y="${top + 14}">${more}</text><line class="range thin ${tone}" x1="${at(p50)}" x2="${at(max)}" y1="${y}" y2="${y}"/><line class="range ${tone}" x1="${at(p50)}" x2="${at(p95)}" y1="${y}" y2="${y}"/><line class="range middle ${tone}" x1="${at(p95)}" x2="${at(p99)}" y1="${y}" y2="${y}"/><circle class="mark ${tone}" cx="${at(p50)}" cy="${y}" r="4.5"/><circle class="ring ${tone}" cx="${at(max)}" cy="${y}" r="3"/>`;
}
