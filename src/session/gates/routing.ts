/** The routing gate: every Haiku exchange on zai, every other one on anthropic. */
import type { Row } from '../../reports/database.ts';
import { plural } from '../../reports/words.ts';
import { countIn, type Gate, type GateCase, gateOf, idsIn, reasonsOfLedger } from './types.ts';

const QUERY = 'gate-routing';

/** Judges it. Which records count, and why, says the query. */
export async function judgeRouting(given: GateCase): Promise<Gate> {
  const { ledger, session } = given;
  const phases = session?.phases ?? [];
  const apart = phases.filter(({ alternates }) => alternates === 'force');
  const rows =
    ledger === null
      ? []
      : await ask(
          given,
          apart.flatMap(({ marks }) => marks),
        );
  const count = (kind: string, right?: boolean): number =>
    sum(
      rows.filter(
        (row) => row['kind'] === kind && (row['is_right'] === right || right === undefined),
      ),
    );
  const wrong = rows.filter((row) => row['is_right'] !== true);
  const seen = phases.filter(({ figures }) => (figures.misroutes ?? 0) > 0);
  const reasons = [
    ...reasonsOfLedger(given),
    ...wrong.map(wrongReason),
    ...seen.map(
      ({ name, figures }) => `drill ${name} saw ${plural(figures.misroutes ?? 0, 'misroute')}`,
    ),
  ];
  if (ledger !== null) {
    if (count('haiku') === 0) reasons.push('no Haiku exchange was recorded');
    if (count('other') === 0) reasons.push('no exchange of another model was recorded');
  }
  return gateOf('routing', {
    reasons,
    haiku: { exchanges: count('haiku'), on_zai: count('haiku', true) },
    other: { exchanges: count('other'), on_anthropic: count('other', true) },
    count_tokens_fallback: { exchanges: count('fallback'), on_anthropic: count('fallback', true) },
    moved_by_a_switch: { exchanges: count('apart'), phases: apart.map(({ name }) => name) },
    ways: rows.map((row) => ({
      kind: row['kind'],
      lane: row['lane'],
      decision: row['decision'],
      right: row['is_right'] === true,
      exchanges: countIn(row, 'exchanges'),
    })),
    misroutes_seen_by_drills: phases.reduce(
      (all, { figures }) => all + (figures.misroutes ?? 0),
      0,
    ),
    damaged_lines: ledger?.damaged ?? 0,
    queries: [QUERY],
  });
}

async function ask(
  { ledger, window }: GateCase,
  apart: readonly string[],
): Promise<readonly Row[]> {
  if (ledger === null) return [];
  await ledger.database.set('until', window.until);
  await ledger.database.set('apart', apart);
  return ledger.database.run(QUERY);
}

function wrongReason(row: Row): string {
  const count = countIn(row, 'exchanges');
  const what =
    row['kind'] === 'haiku'
      ? plural(count, 'Haiku exchange')
      : `${plural(count, 'exchange')} of no Haiku model`;
  const where = `${row['lane']} (upstream ${row['upstream']})`;
  return `${what} on ${where} by ${row['decision']}${idsIn(row)}`;
}

function sum(rows: readonly Row[]): number {
  return rows.reduce((all, row) => all + countIn(row, 'exchanges'), 0);
}
