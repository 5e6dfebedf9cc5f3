/** One plot of a run: what each target costs in CPU an exchange, as a multiple of nginx, cell by cell. */
import { CELLS } from './cells.ts';
import { DIRECT } from './load-part.ts';
import type { Row } from './rows.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { REFERENCES, ratios } from './tables.ts';

const LEFT = 150;
const WIDTH = 900;
const RIGHT = 30;
const TOP = 80;
const LINE = 15;
const GAP = 12;
/** Told apart without colour too: each has a row of its own in each cell. */
const COLOURS = [
  '#0b6e99',
  '#8a8a8a',
  '#b8860b',
  '#444444',
  '#7a4fa3',
  '#b04a4a',
  '#3f7f4f',
  '#c06090',
];

interface Bar {
  readonly target: string;
  readonly spread: Spread;
}

interface Group {
  readonly cell: string;
  readonly bars: readonly Bar[];
}

/** @returns null where there is nothing to compare with */
export function plotOf(rows: readonly Row[]): string | null {
  const targets = [...new Set(rows.flatMap((row) => (row.row === 'cell' ? [row.target] : [])))];
  const reference = REFERENCES.find((name) => targets.includes(name));
  if (reference === undefined) return null;
  const drawn = targets.filter((target) => target !== DIRECT && target !== reference);
  const groups = CELLS.map(({ name }) => ({
    cell: name,
    bars: drawn.flatMap((target) => {
      const spread = spreadOf(ratios(rows, { cell: name, target, reference }));
      return spread === null ? [] : [{ target, spread }];
    }),
  })).filter(({ bars }) => bars.length > 0);
  return groups.length === 0 ? null : drawing(groups, drawn, reference);
}

/** From a ratio to a place, on a logarithmic scale. */
type Scale = (ratio: number) => number;

function scaleOf(groups: readonly Group[]): { readonly scale: Scale; readonly ticks: number[] } {
  const spreads = groups.flatMap(({ bars }) => bars.map(({ spread }) => spread));
  const least = Math.min(1, ...spreads.map(({ min }) => min));
  const most = Math.max(2, ...spreads.map(({ max }) => max));
  const ticks: number[] = [];
  for (let tick = 2 ** Math.floor(Math.log2(least)); tick < most * 2; tick *= 2) ticks.push(tick);
  const [first = 1] = ticks;
  const last = ticks[ticks.length - 1] ?? 2;
  const scale: Scale = (ratio) =>
    LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(ratio / first)) / Math.log(last / first);
  return { scale, ticks };
}

function drawing(groups: readonly Group[], targets: readonly string[], reference: string): string {
  const { scale, ticks } = scaleOf(groups);
  const colour = (target: string): string =>
    COLOURS[targets.indexOf(target) % COLOURS.length] ?? '#000000';
  const parts: string[] = [];
  let y = TOP;
  for (const group of groups) {
    const height = group.bars.length * LINE;
    parts.push(text(LEFT - 10, y + height / 2 + 4, group.cell, 'end'));
    for (const { target, spread } of group.bars) {
      parts.push(bar(scale, y + LINE / 2, spread, colour(target)));
      y += LINE;
    }
    y += GAP;
  }
  const grid = ticks.map((tick) => gridLine(scale(tick), y, tick));
  const legend = targets.map((target, index) => legendOf(index, target, colour(target)));
  const title = `CPU of the proxy's processes an exchange, as a multiple of ${reference}'s (bar: median; line: least to most)`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 20}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${y + 20}" fill="#ffffff"/>`,
    text(10, 20, title, 'start'),
    ...legend,
    ...grid,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function text(x: number, y: number, words: string, anchor: 'start' | 'end' | 'middle'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#222222">${words}</text>`;
}

function gridLine(x: number, bottom: number, tick: number): string {
  const stroke = tick === 1 ? '#222222' : '#dddddd';
  const line = `<line x1="${x.toFixed(1)}" y1="${TOP - 8}" x2="${x.toFixed(1)}" y2="${bottom}" stroke="${stroke}"/>`;
  return `${line}\n${text(x, TOP - 14, `×${tick}`, 'middle')}`;
}

function legendOf(index: number, target: string, colour: string): string {
  const x = 10 + index * 110;
  return `<rect x="${x}" y="32" width="10" height="10" fill="${colour}"/>${text(x + 15, 41, target, 'start')}`;
}

function bar(scale: Scale, y: number, { median, min, max }: Spread, colour: string): string {
  const from = Math.min(scale(1), scale(median));
  const width = Math.abs(scale(median) - scale(1));
  const place = `x="${from.toFixed(1)}" y="${(y - 5).toFixed(1)}" width="${Math.max(1, width).toFixed(1)}"`;
  const line = `x1="${scale(min).toFixed(1)}" x2="${scale(max).toFixed(1)}" y1="${y}" y2="${y}"`;
  return `<rect ${place} height="10" fill="${colour}" fill-opacity="0.7"/><line ${line} stroke="#222222"/>`;
}
