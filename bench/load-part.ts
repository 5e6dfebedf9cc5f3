/** Cells under load: targets in turn, round by round, their order turned each time. */
import { CELLS, type Cell, isPaced, timesOf } from './cells.ts';
import { check } from './check.ts';
import type { Options } from './options.ts';
import { loadOf, type Rig } from './rig.ts';
import type { CellRow, Row } from './rows.ts';
import { type Running, start } from './targets/running.ts';
import type { Site, Target } from './targets/types.ts';

/** The upstream without a proxy: what latency is added to. */
export const DIRECT = 'direct';
/**
 * Loads that have the hot paths compiled of what is compiled as it runs: cells, and how many exchanges. On a
 * machine that others use too they take longer, which is why they are counted.
 */
const WARM_UP: readonly (readonly [string, number])[] = [
  ['small', 20_000],
  ['agent', 1_000],
  ['stream', 1_500],
];
/** Each of them takes so long at most. */
const WARM_UP_S_MAX = 3;

export interface LoadPart {
  readonly options: Options;
  readonly rig: Rig;
  readonly targets: readonly Target[];
  readonly siteOf: (target: Target) => Site;
  readonly keep: (row: Row) => void;
  readonly say: (line: string) => void;
}

/** Measures all cells of all targets. */
export async function measureLoads(part: LoadPart): Promise<void> {
  const all: readonly (Target | null)[] = [null, ...part.targets];
  for (let round = 1; round <= part.options.rounds; round += 1) {
    const from = (round - 1) % all.length;
    const order = [...all.slice(from), ...all.slice(0, from)];
    if (round % 2 === 0) order.reverse();
    for (const target of order) {
      if (target === null) await measureDirect(part, round);
      else await measureTarget(part, round, target);
    }
  }
}

async function measureDirect(part: LoadPart, round: number): Promise<void> {
  const rates: string[] = [];
  for (const cell of part.options.cells) {
    const access = part.rig.direct[cell.way];
    if (access === undefined) continue;
    const { measured, seen } = await part.rig.load({
      ...loadOf(cell, access),
      ...timesOf(cell, part.options),
    });
    const row: CellRow = {
      row: 'cell',
      target: DIRECT,
      cell: cell.name,
      round,
      measured,
      seen,
      memory: [],
    };
    part.keep(row);
    rates.push(rateOf(row));
  }
  part.say(`round ${round} ${DIRECT}: ${rates.join(' ')}`);
}

async function measureTarget(part: LoadPart, round: number, target: Target): Promise<void> {
  const { rig, keep, say } = part;
  const begin = { row: 'target', target: target.name, about: target.about } as const;
  const running = await start(target, part.siteOf(target), 'proxy').catch(String);
  if (typeof running === 'string') {
    keep({ ...begin, duty: target.duty, round, problem: running });
    say(`round ${round} ${target.name}: ${running}`);
    return;
  }
  try {
    const problem = await check(rig, running);
    keep({ ...begin, duty: target.duty, round, problem });
    if (problem !== null) {
      say(`round ${round} ${target.name} is not measured: ${problem}`);
      return;
    }
    await warmUp(part, running);
    const rates: string[] = [];
    for (const cell of part.options.cells) {
      const row = await measureCell(part, running, { cell, round });
      if (row === null) continue;
      keep(row);
      rates.push(rateOf(row));
    }
    say(`round ${round} ${target.name}: ${rates.join(' ')}`);
  } finally {
    await running.stop();
  }
}

async function warmUp(part: LoadPart, running: Running): Promise<void> {
  if (part.options.exchanges !== null) return;
  for (const [name, exchanges] of WARM_UP) {
    const cell = CELLS.find((each) => each.name === name);
    const access = running.access.tls;
    if (cell === undefined || access === undefined) continue;
    await part.rig.load({ ...loadOf(cell, access), seconds: WARM_UP_S_MAX, exchanges });
  }
}

async function measureCell(
  part: LoadPart,
  running: Running,
  { cell, round }: { readonly cell: Cell; readonly round: number },
): Promise<CellRow | null> {
  const access = running.access[cell.way];
  if (access === undefined) return null;
  await running.rest();
  running.resetPeak();
  const { measured, seen } = await part.rig.load({
    ...loadOf(cell, access),
    ...timesOf(cell, part.options),
    pids: running.pids(),
  });
  const memory = running.memory();
  return {
    row: 'cell',
    target: running.target.name,
    cell: cell.name,
    round,
    measured,
    seen,
    memory,
  };
}

function rateOf({ cell: name, measured }: CellRow): string {
  const { exchanges, seconds, errors, eventDelay } = measured;
  const cell = CELLS.find((each) => each.name === name);
  const paced = cell !== undefined && isPaced(cell);
  const figure = paced
    ? `${eventDelay.quantiles?.p99.toFixed(1) ?? '-'}ms`
    : String(Math.round(exchanges / seconds));
  return `${name}=${figure}${errors > 0 ? `!${errors}` : ''}`;
}
