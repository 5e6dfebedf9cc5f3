/** Medians and their spread over the rounds of a run, and how they are written. */
import { DELTAS } from './load/wire.ts';
import type { CellRow, Row } from './rows.ts';

/** A figure in each round that has one. */
export type Rounds = ReadonlyMap<number, number>;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @returns null without values */
export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  const { length } = sorted;
  const [min = Number.NaN] = sorted;
  if (length === 0) return null;
  const middle = ((sorted[(length - 1) >> 1] ?? min) + (sorted[length >> 1] ?? min)) / 2;
  return { median: middle, min, max: sorted[length - 1] ?? min };
}

/** The figure of a cell of a target in each round; null ones are left out. */
export function roundsOf(
  rows: readonly Row[],
  where: { readonly target: string; readonly cell: string },
  figure: (row: CellRow) => number | null,
): Rounds {
  const rounds = new Map<number, number>();
  for (const row of rows) {
    if (row.row !== 'cell' || row.target !== where.target || row.cell !== where.cell) continue;
    const value = exchangesOf(row) > 0 ? figure(row) : null;
    if (value !== null) rounds.set(row.round, value);
  }
  return rounds;
}

/** Two figures joined, round by round: what is compared was measured within the same minutes. */
export function pairs(
  one: Rounds,
  other: Rounds,
  join: (a: number, b: number) => number,
): number[] {
  const joined: number[] = [];
  for (const [round, value] of one) {
    const partner = other.get(round);
    if (partner !== undefined) joined.push(join(value, partner));
  }
  return joined;
}

/** Exchanges within the window. Paced streams take longer than that: their events are counted. */
export function exchangesOf({ measured }: CellRow): number {
  const { eventDelay, exchanges } = measured;
  return eventDelay.count > 0 ? eventDelay.count / DELTAS : exchanges;
}

/** CPU of the proxy's processes for an exchange, µs. */
export function cpuOfExchange(row: CellRow): number | null {
  const { proxy } = row.measured.cpu;
  return proxy === null || proxy === 0 ? null : (proxy / exchangesOf(row)) * 1e6;
}

/** Three digits, or whole numbers. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The median, and the least and the most where there is more than one. */
export function spreadText(values: readonly number[]): string {
  const spread = spreadOf(values);
  if (spread === null) return '-';
  const { median, min, max } = spread;
  return number(min) === number(max)
    ? number(median)
    : `${number(median)} (${number(min)}–${number(max)})`;
}
