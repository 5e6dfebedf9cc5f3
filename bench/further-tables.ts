/** The tables of a run beside its cells: starts, memory, workers, ledger. */
import type { Measured } from './load/types.ts';
import { table } from './markdown.ts';
import type { CellRow, LedgerRow, Row, StartRow, WorkersRow } from './rows.ts';
import { number, spreadText } from './statistics.ts';
import type { Memory } from './targets/running.ts';

/** The cell whose memory is shown by process: as many streams as a busy day has. */
const BUSY = 'paced-256';

/** Those of which there are rows. */
export function furtherTables(rows: readonly Row[]): string[] {
  return [
    startTable(rows),
    memoryTable(rows),
    busyMemoryTable(rows),
    workersTable(rows),
    ledgerTable(rows),
  ];
}

/** MiB of all processes together. */
export function sum(memory: readonly Memory[], what: 'rss' | 'pss' | 'peak'): number {
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
    spreadText(all.flatMap(({ cpuMs }) => cpuMs ?? [])),
  ]);
  const head = [
    'target',
    'starts',
    'port open, ms',
    'first answer through it, ms',
    'CPU ms until then',
  ];
  return `## Cold start, with certificates in place\n\n${table(head, lines)}`;
}

/** Each process at rest after its first answer. */
function memoryTable(rows: readonly Row[]): string {
  const samples = [...startsOf(rows)].map(
    ([target, all]) => [target, all.map(({ memory }) => memory)] as const,
  );
  const lines = samples.flatMap(([target, all]) => processLines(target, all, ['rss', 'pss']));
  if (lines.length === 0) return '';
  const head = ['process', 'RSS, MiB', 'PSS, MiB'];
  return `## Memory at rest, after the first answer\n\n${table(head, lines)}`;
}

function busyMemoryTable(rows: readonly Row[]): string {
  const samples = new Map<string, CellRow['memory'][]>();
  for (const row of rows) {
    if (row.row !== 'cell' || row.cell !== BUSY || row.memory.length === 0) continue;
    samples.set(row.target, [...(samples.get(row.target) ?? []), row.memory]);
  }
  const lines = [...samples].flatMap(([target, all]) =>
    processLines(target, all, ['rss', 'pss', 'peak']),
  );
  if (lines.length === 0) return '';
  const head = ['process', 'RSS, MiB', 'PSS, MiB', 'most RSS, MiB'];
  return `## Memory at the end of ${BUSY}\n\n${table(head, lines)}`;
}

/** A target's sum, and each of its processes where it has more than one. */
function processLines(
  target: string,
  samples: readonly (readonly Memory[])[],
  what: readonly ('rss' | 'pss' | 'peak')[],
): string[][] {
  const roles = new Set(samples.flatMap((memory) => memory.map(({ role }) => role)));
  if (roles.size === 0) return [];
  const line = (name: string, own: (memory: Memory) => boolean): string[] => [
    name,
    ...what.map((figure) => spreadText(samples.map((all) => sum(all.filter(own), figure)))),
  ];
  const parts = [...roles].map((role) => line(`${target}: ${role}`, (each) => each.role === role));
  return [line(target, () => true), ...(roles.size === 1 ? [] : parts)];
}

function workersTable(rows: readonly Row[]): string {
  const all = rows.filter((row): row is WorkersRow => row.row === 'workers');
  if (all.length === 0) return '';
  const counts = [...new Set(all.map(({ workers }) => workers))].toSorted((a, b) => a - b);
  const cells = [...new Set(all.map(({ cell }) => cell))];
  const lines = cells.flatMap((cell) =>
    counts.map((workers) => {
      const own = all.filter((row) => row.cell === cell && row.workers === workers);
      const figures = (figure: (measured: Measured) => number): string =>
        spreadText(own.map(({ measured }) => figure(measured)));
      return [
        cell,
        String(workers),
        figures(({ exchanges, seconds }) => exchanges / seconds),
        figures(({ cpu, exchanges }) => ((cpu.proxy ?? Number.NaN) * 1e6) / exchanges),
        figures(({ cpu, seconds }) => (cpu.proxy ?? Number.NaN) / seconds),
        figures(({ cpu, seconds }) => ((cpu.upstream ?? 0) + cpu.generator) / seconds),
      ];
    }),
  );
  const head = [
    'cell',
    'workers',
    'exchanges/s',
    'CPU µs an exchange',
    'proxy, cores',
    'rig, cores',
  ];
  return `## Workers, nothing of the proxy kept to a core\n\n${table(head, lines)}`;
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
