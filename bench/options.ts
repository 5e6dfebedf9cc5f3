/** What `run.ts` is told. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CELLS, type Cell } from './cells.ts';

const ROOT = join(import.meta.dirname, '..');

export const PARTS = ['load', 'start', 'workers', 'ledger'] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
  /** Names of targets; null: all that are found. */
  readonly targets: readonly string[] | null;
  readonly cells: readonly Cell[];
  readonly parts: readonly Part[];
  readonly rounds: number;
  /** Of the window of each cell. */
  readonly seconds: number;
  /** A cell ends when so many exchanges are done, however long that takes; null: when its time is over. */
  readonly exchanges: number | null;
  readonly starts: number;
  readonly records: number;
  /** Where the results go. */
  readonly out: string;
  /** Where certificates, homes, the compiled program and ledgers lie. */
  readonly work: string;
  /** A folder with `node_modules` of peers. */
  readonly peers: string;
}

/** What `--quick` measures: enough for a first look. */
const QUICK = {
  targets: 'lanekeeper,node-pump,node-http,nginx',
  cells: 'small,agent,large,stream,new,paced-64,small-1,small-gateway,small-h2',
  rounds: '1',
  seconds: '0.5',
  starts: '3',
  records: '100000',
};
const FULL = {
  targets: undefined,
  cells: CELLS.map(({ name }) => name).join(','),
  rounds: '3',
  seconds: '0.6',
  starts: '7',
  records: '1000000',
};

export const USAGE = `usage: node bench/run.ts [options]
  --targets A,B    of those that README.md lists; direct, nginx and node-pump are what ratios are taken to
  --cells A,B      of: ${CELLS.map(({ name }) => name).join(' ')}
  --parts A,B      of: ${PARTS.join(' ')}
  --rounds N       (${FULL.rounds})
  --seconds S      of each cell (${FULL.seconds})
  --exchanges N    of each cell instead, without any warm-up: to see whether all works
  --starts N       of each target (${FULL.starts})
  --records N      of the ledger that is summarized (${FULL.records})
  --quick          one round, fewer targets and cells, a smaller ledger
  --out DIR        (bench/results/TIME)
  --work DIR       (.cache/bench)
  --peers DIR      with the node_modules of peers (bench/peers)`;

/**
 * Reads the command line.
 *
 * @throws Error for what it does not understand
 */
export function optionsOf(args: readonly string[], now: Date): Options {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      targets: string,
      cells: string,
      parts: string,
      rounds: string,
      seconds: string,
      exchanges: string,
      starts: string,
      records: string,
      out: string,
      work: string,
      peers: string,
      quick: { type: 'boolean' },
    },
  });
  const standard = values.quick === true ? QUICK : FULL;
  const stamp = now.toISOString().slice(0, 19).replaceAll(':', '');
  return {
    targets: (values.targets ?? standard.targets)?.split(',') ?? null,
    cells: (values.cells ?? standard.cells).split(',').map(cellOf),
    parts: (values.parts ?? PARTS.join(',')).split(',').map(partOf),
    rounds: positive('rounds', values.rounds ?? standard.rounds),
    seconds: positive('seconds', values.seconds ?? standard.seconds),
    exchanges: values.exchanges === undefined ? null : positive('exchanges', values.exchanges),
    starts: positive('starts', values.starts ?? standard.starts),
    records: positive('records', values.records ?? standard.records),
    out: values.out ?? join(ROOT, 'bench', 'results', stamp),
    work: values.work ?? join(ROOT, '.cache', 'bench'),
    peers: values.peers ?? join(ROOT, 'bench', 'peers'),
  };
}

function cellOf(name: string): Cell {
  const found = CELLS.find((cell) => cell.name === name);
  if (found === undefined) throw new Error(`there is no cell ${name}`);
  return found;
}

function partOf(name: string): Part {
  const found = PARTS.find((part) => part === name);
  if (found === undefined) throw new Error(`there is no part ${name}`);
  return found;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} ${text} is no positive number`);
  return value;
}
