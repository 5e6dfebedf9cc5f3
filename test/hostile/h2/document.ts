/**
 * The tables of docs/hostile-input-h2.md, made of the catalogue and of what the peers did. The prose between
 * them is the document's own.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Case, oursOf } from './case.ts';
import { CASES, FLOODS, GROUPS } from './catalogue.ts';
import type { Observed } from './observed.ts';
import { UPSTREAM_CASES } from './upstream-cases.ts';

const DOCUMENT = path.join(import.meta.dirname, '..', '..', '..', 'docs', 'hostile-input-h2.md');
const DEVIATIONS = 'Known deviations';
const ORIGIN = 'What reached the origin';
const UPSTREAMS = 'Towards upstreams';

/** The document as it is. */
export function readDocument(): string {
  return readFileSync(DOCUMENT, 'utf8');
}

/** Every table, by the heading that it stands below. */
export function tablesOf(observed: Observed): Map<string, string> {
  const tables = new Map<string, string>();
  tables.set(DEVIATIONS, deviations());
  for (const { title, cases } of GROUPS) tables.set(title, caseTable(cases, observed));
  tables.set(FLOODS.title, floodTable(FLOODS.cases, observed));
  tables.set(ORIGIN, originTable(observed));
  tables.set(UPSTREAMS, upstreamTable());
  return tables;
}

/** The document with its tables made anew. */
export function withTables(document: string, observed: Observed): string {
  let text = document;
  for (const [title, table] of tablesOf(observed)) {
    const from = text.indexOf(`## ${title}\n`);
    if (from < 0) throw new Error(`no heading ${title}`);
    const next = text.indexOf('\n## ', from);
    const end = next < 0 ? text.length : next;
    const section = text.slice(from, end);
    const prose = section.split('\n').filter((line) => !line.startsWith('|'));
    const kept = prose.join('\n').trimEnd();
    text = `${text.slice(0, from)}${kept}\n\n${table}\n${text.slice(end)}`;
  }
  return text;
}

export async function writeDocument(observed: Observed): Promise<void> {
  await writeFile(DOCUMENT, withTables(readDocument(), observed));
}

function caseTable(cases: readonly Case[], observed: Observed): string {
  const rows = cases.map((one) => {
    const { id, rule, what, note, allows } = one;
    const text = note === undefined ? what : `${what} (${note})`;
    return [`\`${id}\``, rule, text, expectedOf(allows), ours(one), ...peers(id, observed)];
  });
  return table(['case', 'rule', 'what is sent', 'allowed', 'ours', ...names(observed)], rows);
}

/** What is allowed there is whatever has a bound. */
function floodTable(cases: readonly Case[], observed: Observed): string {
  const rows = cases.map((one) => {
    const { id, rule, what } = one;
    return [`\`${id}\``, rule, what, ours(one), ...peers(id, observed)];
  });
  return table(['case', 'rule', 'what is sent', 'ours', ...names(observed)], rows);
}

function upstreamTable(): string {
  const rows = UPSTREAM_CASES.map(({ id, rule, what, allows, note }) => {
    const text = note === undefined ? what : `${what} (${note})`;
    return [`\`${id}\``, rule, text, allows.join(', ')];
  });
  return table(['case', 'rule', 'what the upstream does', 'what the client gets'], rows);
}

function originTable({ peers: all, seen, reached }: Observed): string {
  const rows = all.map(({ name, version }) => {
    const requests = (reached[name] ?? []).map((line) => `\`${line}\``);
    return [
      `${name} ${version}`,
      requests.join(', ') || 'none',
      outside((one) => seen[one.id]?.[name]),
    ];
  });
  const head = ['proxy', 'requests that were not sent as such', 'reactions that no RFC allows'];
  return table(head, [['ours', 'none', outside((one) => oursOf(one))], ...rows]);
}

/** How many cases, the floods aside, ended otherwise than is allowed. */
function outside(reaction: (one: Case) => string | undefined): string {
  const wrong = CASES.filter((one) => !one.allows.includes(reaction(one) ?? ''));
  return `${wrong.length} of ${CASES.length}`;
}

function deviations(): string {
  const cases = GROUPS.flatMap((group) => group.cases).filter(
    ({ deviates }) => deviates !== undefined,
  );
  const reasons = new Map<string, Case[]>();
  for (const one of cases) {
    const reason = one.deviates ?? '';
    reasons.set(reason, [...(reasons.get(reason) ?? []), one]);
  }
  const rows = [...reasons].map(([reason, same]) => {
    const [first] = same;
    if (first === undefined) throw new Error('a reason without a case');
    const ids = same.map(({ id }) => `\`${id}\``).join(', ');
    return [ids, first.rule, expectedOf(first.allows), oursOf(first), reason];
  });
  return table(['cases', 'rule', 'allowed', 'ours', 'why, and what it does not do'], rows);
}

function ours(one: Case): string {
  const plain = oursOf(one);
  const tunnel = oursOf(one, true);
  const text = plain === tunnel ? plain : `${plain}, in a tunnel ${tunnel}`;
  return one.deviates === undefined ? text : `${text} (deviates)`;
}

function peers(id: string, { peers: all, seen }: Observed): string[] {
  return all.map(({ name }) => seen[id]?.[name] ?? '-');
}

function names(observed: Observed): string[] {
  return observed.peers.map(({ name, version }) => `${name} ${version}`);
}

/** Answers of the server's own before a reset are one kind of reaction. */
function expectedOf(allows: readonly string[]): string {
  const errors = allows.filter((one) => /^(?:4\d\d|501)$/.test(one));
  const rest = allows.filter((one) => !errors.includes(one));
  return [...rest, ...(errors.length > 1 ? ['an error status'] : errors)].join(', ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
