/** The tables of a run, as Markdown: medians over its rounds, the least and the most beside them. */
import { CELLS, type Cell, isPaced } from './cells.ts';
import { furtherTables, sum } from './further-tables.ts';
import type { Measured } from './load/types.ts';
import { DIRECT } from './load-part.ts';
import { table } from './markdown.ts';
import type { CellRow, MachineRow, Row } from './rows.ts';
import { cpuOfExchange, exchangesOf, number, pairs, roundsOf, spreadText } from './statistics.ts';

/** What others may use of the machine before it is said, cores. */
const NOISE_CORES = 0.2;
/** A side that uses so much of its core is what a load waits for. */
const BUSY_CORES = 0.85;

/** What ratios are taken to. */
export const REFERENCES = ['nginx', 'node-pump'] as const;

/** All tables of the rows of a run. */
export function tablesOf(rows: readonly Row[]): string {
  const parts = [
    machineText(rows),
    targetsText(rows),
    summaryTable(rows),
    ...CELLS.map((cell) => cellTable(rows, cell)),
    ...furtherTables(rows),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function machineText(rows: readonly Row[]): string {
  const machine = rows.find((row): row is MachineRow => row.row === 'machine');
  if (machine === undefined) return '';
  const { date, cpu, cores, kernel, node, rounds, seconds, pinned, linux, missing } = machine;
  const lines = [
    `${date}, ${cpu}, ${cores} cores, ${kernel}, Node ${node}; ${rounds} rounds, ${seconds} s a cell.`,
    pinned
      ? 'The proxy has core 0, upstream and generator share core 1.'
      : 'Nothing is kept to a core here: upstream, generator and proxy share them all.',
    ...(linux ? [] : ['CPU time and memory of other processes are not to be had on this system.']),
    noiseText(rows),
    ...missing.map((what) => `Not measured: ${what}.`),
  ];
  return lines.filter((line) => line !== '').join('\n');
}

/** Whether others used the machine meanwhile. */
function noiseText(rows: readonly Row[]): string {
  const shares = (figure: (cpu: Measured['cpu']) => number | null): number =>
    Math.max(
      0,
      ...rows.map((row) =>
        row.row === 'cell' ? (share(row.measured, figure(row.measured.cpu)) ?? 0) : 0,
      ),
    );
  const others = shares((cpu) => cpu.others);
  const steal = shares((cpu) => cpu.steal);
  if (others < NOISE_CORES && steal < NOISE_CORES) return 'The machine was quiet.';
  return (
    `**The machine was not quiet**: others used up to ${number(others)} cores, and its host took up to ` +
    `${number(steal)}. Throughput and latency are not to be relied on.`
  );
}

function targetsText(rows: readonly Row[]): string {
  const seen = new Map<string, string>();
  for (const row of rows) {
    if (row.row !== 'target') continue;
    const failed =
      row.problem === null ? '' : `; **not measured in round ${row.round}**: ${row.problem}`;
    if (!seen.has(row.target) || failed !== '') seen.set(row.target, `${row.about}${failed}`);
  }
  return [...seen].map(([name, about]) => `- ${name}: ${about}`).join('\n');
}

function targetsOf(rows: readonly Row[]): string[] {
  return [...new Set(rows.flatMap((row) => (row.row === 'cell' ? [row.target] : [])))];
}

/** The ratios of CPU an exchange, one line a target and one column a cell. */
function summaryTable(rows: readonly Row[]): string {
  const cells = CELLS.filter(({ name }) =>
    rows.some((row) => row.row === 'cell' && row.cell === name),
  );
  const targets = targetsOf(rows).filter((name) => name !== DIRECT);
  const parts = REFERENCES.filter((name) => targets.includes(name)).map((reference) => {
    const lines = cells.map((cell) => [
      cell.name,
      ...targets.map((target) => spreadText(ratios(rows, { cell: cell.name, target, reference }))),
    ]);
    const title = `## CPU of the proxy's processes an exchange, as a multiple of ${reference}'s`;
    return `${title}\n\n${table(['cell', ...targets], lines)}`;
  });
  return parts.join('\n\n');
}

/** CPU an exchange of a target divided by that of another, in each round that has both. */
export function ratios(
  rows: readonly Row[],
  what: { readonly cell: string; readonly target: string; readonly reference: string },
): number[] {
  const { cell, target, reference } = what;
  const own = roundsOf(rows, { target, cell }, cpuOfExchange);
  const its = roundsOf(rows, { target: reference, cell }, cpuOfExchange);
  return pairs(own, its, (a, b) => a / b);
}

function cellTable(rows: readonly Row[], cell: Cell): string {
  const targets = targetsOf(rows).filter((target) =>
    rows.some((row) => row.row === 'cell' && row.cell === cell.name && row.target === target),
  );
  if (targets.length === 0) return '';
  const lines = targets.map((target) => cellLine(rows, cell, target));
  const title = `## ${cell.name}: ${cell.about}`;
  return `${title}\n\n${table(
    columnsOf(cell).map(({ title: head }) => head),
    lines,
  )}`;
}

interface Column {
  readonly title: string;
  readonly text: (rows: readonly Row[], cell: Cell, target: string) => string;
}

/** A figure of the cell itself. */
function plain(title: string, figure: (row: CellRow) => number | null): Column {
  return {
    title,
    text: (rows, { name }, target) =>
      spreadText([...roundsOf(rows, { target, cell: name }, figure).values()]),
  };
}

/** A figure less that of the upstream without a proxy, in the same round. */
function added(title: string, figure: (measured: Measured) => number | null | undefined): Column {
  const of = ({ measured }: CellRow): number | null => figure(measured) ?? null;
  return {
    title,
    text: (rows, { name }, target) => {
      const own = roundsOf(rows, { target, cell: name }, of);
      const direct = roundsOf(rows, { target: DIRECT, cell: name }, of);
      return target === DIRECT ? '-' : spreadText(pairs(own, direct, (a, b) => a - b));
    },
  };
}

const COMMON: readonly Column[] = [
  { title: 'target', text: (_rows, _cell, target) => target },
  plain('exchanges/s', (row) => exchangesOf(row) / row.measured.seconds),
  plain('CPU µs an exchange', cpuOfExchange),
];
const LAST: readonly Column[] = [
  plain('proxy, cores', ({ measured }) => share(measured, measured.cpu.proxy)),
  plain('rig, cores', ({ measured }) =>
    share(measured, (measured.cpu.upstream ?? 0) + measured.cpu.generator),
  ),
  {
    title: 'limit',
    text: (rows, { name }, target) => limitsOf(rows, target, name),
  },
  plain('others, cores', ({ measured }) => share(measured, measured.cpu.others)),
  plain('most RSS, MiB', ({ memory }) => (memory.length === 0 ? null : sum(memory, 'peak'))),
  {
    title: 'errors',
    text: (rows, { name }, target) => String(errorsOf(rows, target, name)),
  },
];

function columnsOf(cell: Cell): readonly Column[] {
  const times = isPaced(cell)
    ? [
        plain(
          'delay of an event p50, ms',
          ({ measured }) => measured.eventDelay.quantiles?.p50 ?? null,
        ),
        plain('p99, ms', ({ measured }) => measured.eventDelay.quantiles?.p99 ?? null),
        added('added p50, ms', ({ eventDelay }) => eventDelay.quantiles?.p50),
        added('added p99, ms', ({ eventDelay }) => eventDelay.quantiles?.p99),
      ]
    : [
        plain('latency p50, ms', ({ measured }) => measured.latency.quantiles?.p50 ?? null),
        plain('p99, ms', ({ measured }) => measured.latency.quantiles?.p99 ?? null),
        added('added p50, ms', ({ latency }) => latency.quantiles?.p50),
      ];
  return [...COMMON, ...times, ...LAST];
}

function cellLine(rows: readonly Row[], cell: Cell, target: string): string[] {
  return columnsOf(cell).map(({ text }) => text(rows, cell, target));
}

/** What the load waited for: the proxy, the rig, or neither, in any of the rounds. */
function limitsOf(rows: readonly Row[], target: string, cell: string): string {
  const limits = rows.flatMap((row) => {
    if (row.row !== 'cell' || row.target !== target || row.cell !== cell) return [];
    const { cpu } = row.measured;
    if ((share(row.measured, cpu.proxy) ?? 0) >= BUSY_CORES) return ['proxy'];
    const rig = share(row.measured, (cpu.upstream ?? 0) + cpu.generator) ?? 0;
    return [rig >= BUSY_CORES ? 'rig' : 'neither'];
  });
  return [...new Set(limits)].join(', ');
}

function errorsOf(rows: readonly Row[], target: string, cell: string): number {
  const own = rows.filter(
    (row): row is CellRow => row.row === 'cell' && row.target === target && row.cell === cell,
  );
  return own.reduce((total, { measured }) => total + measured.errors, 0);
}

function share({ seconds }: Measured, cpu: number | null): number | null {
  return cpu === null ? null : cpu / seconds;
}
