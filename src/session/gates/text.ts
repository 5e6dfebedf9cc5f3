/** The gates in words: what each rests on, in a line; a table; and the block of the criteria's document. */
import { counted, markdownText, plainText } from '../../reports/words.ts';
import type { Gate, GateName } from './types.ts';

/** Widths of the table's columns. */
const NAME_CHARS = 15;
const MARK_CHARS = 9;

/** The line of figures behind a verdict. */
function groundsOf({ name, evidence }: Gate): string {
  return GROUNDS[name](evidence);
}

/** For a terminal: a table, then why a gate is not met, then how to check it. */
export function gatesText(gates: readonly Gate[]): string {
  const rows = gates.map(
    (gate) => `${gate.name.padEnd(NAME_CHARS)}${mark(gate).padEnd(MARK_CHARS)}${groundsOf(gate)}`,
  );
  const reasons = gates.flatMap(({ name, evidence }) =>
    evidence.reasons.map((reason) => `${name}: ${plainText(reason)}`),
  );
  const queries = gates.flatMap(({ evidence }) => evidence.queries.map((query) => `${query}.sql`));
  return [
    ...rows,
    ...(reasons.length === 0 ? [] : ['', ...reasons]),
    '',
    `queries, in src/reports/sql: ${queries.join(', ')}`,
  ].join('\n');
}

/** What stands in the criteria's document. */
export function verdictBlock(gates: readonly Gate[], now: number): string {
  const lines = gates.flatMap((gate) => [
    `- [${gate.met ? 'x' : ' '}] **${gate.name}**: ${mark(gate)}; ${markdownText(groundsOf(gate))}`,
    ...gate.evidence.reasons.map((reason) => `  - ${markdownText(reason)}`),
  ]);
  return [`Judged ${new Date(now).toISOString()}:`, '', ...lines].join('\n');
}

function mark({ met }: Gate): string {
  return met ? 'met' : 'NOT MET';
}

type Evidence = Gate['evidence'];

const GROUNDS: Readonly<Record<GateName, (evidence: Evidence) => string>> = {
  routing: (evidence) =>
    `${part(evidence, 'haiku', 'on_zai', 'exchanges')} Haiku exchanges on zai, ` +
    `${part(evidence, 'other', 'on_anthropic', 'exchanges')} others on anthropic`,
  stability: (evidence) =>
    `soak ${figure(evidence, 'soak_minutes')} of ${figure(evidence, 'soak_minutes_needed')} minutes, ` +
    `${part(evidence, 'streams', 'complete_and_intact', 'all')} streams complete and intact`,
  safety: (evidence) =>
    `${figure(evidence, 'findings_in_all')} findings in ${figure(evidence, 'files_searched')} files, ` +
    `${figure(evidence, 'leaks_at_upstreams')} leaks at upstreams, ` +
    `${figure(evidence, 'body_samples')} body samples`,
  observability: (evidence) =>
    `${figure(member(evidence, 'metrics'), 'exchanges')} exchanges in the metrics, ` +
    `${figure(member(evidence, 'recount'), 'exchanges')} counted anew; ` +
    `${part(evidence, 'quoted_lines', 'found', 'quoted')} quoted lines found`,
};

function part(evidence: Evidence, name: string, some: string, all: string): string {
  const of = member(evidence, name);
  return `${figure(of, some)} of ${figure(of, all)}`;
}

function figure(of: unknown, name: string): string {
  const value = member(of, name);
  return typeof value === 'number' ? counted(value) : '-';
}

function member(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[name] : undefined;
}
