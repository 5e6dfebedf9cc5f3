/**
 * Judges a session by what it left: ledger, anomalies, its own record, results, and every file that was
 * written. It runs nothing and changes nothing.
 */
import { join } from 'node:path';
import { openDatabase } from '../../reports/database.ts';
import { ReportError } from '../../reports/errors.ts';
import { type Extent, extentOf } from '../../reports/extent.ts';
import { loadLedger } from '../../reports/source.ts';
import { readSession } from '../record-file.ts';
import { judgeObservability } from './observability.ts';
import { judgeRouting } from './routing.ts';
import { judgeSafety, type SafetyFacts } from './safety.ts';
import { judgeStability } from './stability.ts';
import { GATE_NAMES, type Gate, type GateCase, type GateName } from './types.ts';

/** Does something with the evidence of a home, which is closed behind it. */
export async function withEvidence<T>(
  home: string,
  use: (given: GateCase) => Promise<T>,
): Promise<T> {
  const session = await readSession(home);
  const since = session === null ? null : Date.parse(session.start) / 1_000;
  const until = session === null || session.end === null ? null : Date.parse(session.end) / 1_000;
  const database = await openDatabase();
  try {
    const given = { home, session, window: { since, until }, missing: null };
    let source: Awaited<ReturnType<typeof loadLedger>>;
    try {
      source = await loadLedger(database, join(home, 'logs'), { since, session: null });
    } catch (error) {
      if (!(error instanceof ReportError)) throw error;
      return await use({ ...given, ledger: null, missing: error.message });
    }
    const { usage } = await extentOf(database);
    const { records, damaged } = usage;
    const window = { since: since ?? beginOf(usage), until };
    return await use({ ...given, window, ledger: { database, source, records, damaged } });
  } finally {
    database.close();
  }
}

/**
 * Judges gates of a home.
 *
 * @throws SessionError where the record of the session is damaged; ReportError without a database
 */
export async function judgeGates(
  home: string,
  facts: SafetyFacts,
  names: readonly GateName[] = GATE_NAMES,
): Promise<readonly Gate[]> {
  return withEvidence(home, async (given) => {
    const gates: Gate[] = [];
    for (const name of names) gates.push(await judgeOne(name, given, facts));
    return gates;
  });
}

/** One after the other: they share the variables of one database. */
function judgeOne(name: GateName, given: GateCase, facts: SafetyFacts): Promise<Gate> {
  switch (name) {
    case 'routing':
      return judgeRouting(given);
    case 'stability':
      return judgeStability(given);
    case 'safety':
      return judgeSafety(given, facts);
    case 'observability':
      return judgeObservability(given);
  }
}

/** Without a session, everything since the first exchange is judged. */
function beginOf({ from }: Extent): number | null {
  return from === null ? null : Date.parse(from) / 1_000;
}
