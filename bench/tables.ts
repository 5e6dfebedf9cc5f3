/** The tables of a run, as Markdown: medians over its rounds, the least and the most beside them. */
import { CELLS, type Cell, isPaced } from './cells.ts';
import type { Measured } from './load/types.ts';
import { DIRECT } from './load-part.ts';
import type { CellRow, LedgerRow, MachineRow, Row, StartRow, WorkersRow } from './rows.ts';
import { cpuOfExchange, exchangesOf, number, pairs, roundsOf, spreadText } from './statistics.ts';
import type { Memory } from './targets/running.ts';

/** What ratios are taken to. */
export const REFERENCES = ['nginx', 'node-pump'] as const;

/** All tables of the rows of a run. */
export function tablesOf(rows: readonly Row[]): string {
  const parts = [
    machineText(rows),
    targetsText(rows),
    summaryTable(rows),
    ...CELLS.map((cell) => cellTable(rows, cell)),
    startTable(rows),
    memoryTable(rows),
    workersTable(rows),
    ledgerTable(rows),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...lines.map(line)].join('\n');
}

function machineText(rows: readonly Row[]): string {
  const machine = rows.find((row): row is MachineRow => row.row === 'machine');
  if (machine === undefined) return '';
  const { date, cpu, cores, kernel, node, rounds, seconds, pinned, linux, missing } = machine;
  const lines = [
    `${date}, ${cpu}, ${cores} cores, ${kernel}, Node ${node}; ${rounds} rounds, ${seconds} s a cell.`,
    pinned
      ? 'The proxy has core 0 to itself, upstream and generator share the others.'
      : 'Nothing is kept to a core here: upstream, generator and proxy share them all.',
    ...(linux ? [] : ['CPU time and memory of other processes are not to be had on this system.']),
    ...missing.map((what) => `Not measured: ${what}.`),
  ];
  return lines.join('\n');
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

function errorsOf(rows: readonly Row[], target: string, cell: string): number {
  const own = rows.filter(
    (row): row is CellRow => row.row === 'cell' && row.target === target && row.cell === cell,
  );
  return own.reduce((total, { measured }) => total + measured.errors, 0);
}

function share({ seconds }: Measured, cpu: number | null): number | null {
  return cpu === null ? null : cpu / seconds;
}

function sum(memory: readonly Memory[], what: 'rss' | 'pss' | 'peak'): number {
  return memory.reduce((total, each) => total + each[what], 0);
}

function startsOf(rows: readonly Row[]): Map<string, StartRow[]> {
  const starts = new Map<string, StartRow[]>();
  for (const row of rows) {
    if (row.row === 'start') starts.set(row.target, [...(starts.get(row.target) ?? []), row]);
  }
  return starts;
}

function startTable(rows: readonly Row[]): string {
  const starts = startsOf(rows);
  if (starts.size === 0) return '';
  const lines = [...starts].map(([target, all]) => [
    target,
    String(all.length),
    spreadText(all.map(({ portMs }) => portMs)),
    spreadText(all.map(({ answerMs }) => answerMs)),
  ]);
  const head = ['target', 'starts', 'port open, ms', 'first answer through it, ms'];
  return `## Cold start, with certificates in place\n\n${table(head, lines)}`;
}

/** Each process at rest after its first answer; a program's own sum where it has more than one. */
function memoryTable(rows: readonly Row[]): string {
  const lines: string[][] = [];
  for (const [target, all] of startsOf(rows)) {
    const roles = new Set(all.flatMap(({ memory }) => memory.map(({ role }) => role)));
    const add = (name: string, pick: (memory: readonly Memory[]) => readonly Memory[]): void => {
      const figures = (what: 'rss' | 'pss'): string =>
        spreadText(all.map(({ memory }) => sum(pick(memory), what)));
      lines.push([name, figures('rss'), figures('pss')]);
    };
    if (roles.size === 0) continue;
    add(target, (memory) => memory);
    if (roles.size === 1) continue;
    for (const role of roles) {
      add(`${target}: ${role}`, (memory) => memory.filter((each) => each.role === role));
    }
  }
  if (lines.length === 0) return '';
  return `## Memory at rest, after the first answer\n\n${table(['process', 'RSS, MiB', 'PSS, MiB'], lines)}`;
}

function workersTable(rows: readonly Row[]): string {
  const all = rows.filter((row): row is WorkersRow => row.row === 'workers');
  if (all.length === 0) return '';
  const counts = [...new Set(all.map(({ workers }) => workers))].toSorted((a, b) => a - b);
  const lines = counts.map((workers) => {
    const own = all.filter((row) => row.workers === workers);
    const figures = (figure: (measured: Measured) => number): string =>
      spreadText(own.map(({ measured }) => figure(measured)));
    return [
      String(workers),
      figures(({ exchanges, seconds }) => exchanges / seconds),
      figures(({ cpu, seconds }) => (cpu.proxy ?? Number.NaN) / seconds),
      figures(({ cpu, seconds }) => ((cpu.upstream ?? 0) + cpu.generator) / seconds),
    ];
  });
  const head = ['workers', 'exchanges/s', 'proxy, cores', 'rig, cores'];
  return `## Workers: small, nothing of the proxy kept to a core\n\n${table(head, lines)}`;
}

function ledgerTable(rows: readonly Row[]): string {
  const all = rows.filter((row): row is LedgerRow => row.row === 'ledger');
  const [first] = all;
  if (first === undefined) return '';
  const kinds = [...new Set(all.map(({ kind }) => kind))];
  const lines = kinds.map((kind) => {
    const own = all.filter((row) => row.kind === kind);
    return [
      kind,
      spreadText(own.map(({ seconds }) => seconds)),
      spreadText(own.map(({ cpuSeconds }) => cpuSeconds)),
      spreadText(own.map(({ peakMib }) => peakMib)),
    ];
  });
  const head = ['what', 'seconds', 'CPU s', 'most RSS, MiB'];
  return `## A ledger of ${number(first.records)} records summarized\n\n${table(head, lines)}`;
}
