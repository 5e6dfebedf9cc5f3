/**
 * The tables of `docs/hostile-input.md`: the catalogue, what this proxy does (which the tests of the
 * catalogue hold), and what the peers did when they were asked last.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ANSWER_GROUPS } from '../answer-cases.ts';
import { REQUEST_GROUPS } from '../requests.ts';
import type { HostileAnswer, HostileRequest } from '../types.ts';
import type { PeerResults } from './results.ts';

export const DOCUMENT: string = path.join(import.meta.dirname, '../../../docs/hostile-input.md');

const BEGIN = '<!-- tables: written by make hostile-peers -->';
const END = '<!-- end of the tables -->';

/** All tables. */
export function tablesOf(results: PeerResults): string {
  const names = results.peers.map(({ name, version }) => `${name} ${version}`);
  const requests = REQUEST_GROUPS.map(({ title, cases, forPeers }) => {
    const rows = cases.map((one) => [
      ...[one.name, one.rfc, oursOf(one)],
      ...(forPeers ? results.peers.map(({ did }) => did[one.name] ?? '') : [one.why]),
    ]);
    return table(title, ['input', 'RFC', 'Lanekeeper', ...(forPeers ? names : ['because'])], rows);
  });
  const answers = ANSWER_GROUPS.map(({ title, cases }) => {
    const rows = cases.map((one) => [one.name, one.rfc, seenOf(one), one.why]);
    return table(title, ['input', 'RFC', 'the client gets', 'because'], rows);
  });
  return [BEGIN, '', ...requests, ...answers, END].join('\n');
}

/** What the document holds of the tables, markers included. */
export function tablesIn(text: string): string {
  return text.slice(text.indexOf(BEGIN), text.indexOf(END) + END.length);
}

/** Writes the tables into the document. */
export async function updateDocument(results: PeerResults): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  await writeFile(
    DOCUMENT,
    text.replace(tablesIn(text), () => tablesOf(results)),
  );
}

function oursOf({ answered, reaches }: HostileRequest): string {
  const answers = answered.statuses.length > 0 ? answered.statuses.join(' ') : 'cut';
  const code = answered.code === undefined ? '' : ` \`${answered.code}\``;
  const count = reaches.kind === 'whole' ? reaches.requests.length : 0;
  const part = reaches.kind === 'part' ? ' → part' : '';
  return `${answers}${code}${count > 0 ? ` → ${count}` : part}`;
}

function seenOf({ seen }: HostileAnswer): string {
  const code = seen.code === undefined ? '' : ` \`${seen.code}\``;
  const end = seen.whole ? '' : ', cut where it broke';
  return `${seen.status}${code}${end}`;
}

function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = line(head.map(() => '---'));
  return [`### ${title}`, '', line(head), rule, ...rows.map(line), ''].join('\n');
}
