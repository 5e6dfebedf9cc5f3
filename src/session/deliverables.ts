/**
 * What a session leaves for its reader: the ledger measured, the tests with lines of the ledger that
 * show them, and the handoff.
 */
import { join } from 'node:path';
import { summarize } from '../reports/summarize.ts';
import { writeWhole } from '../reports/write.ts';
import { withEvidence } from './gates/judge.ts';
import { recordsOf } from './gates/observability.ts';
import { judgeRouting } from './gates/routing.ts';
import { judgeSafety, type SafetyFacts } from './gates/safety.ts';
import { judgeStability } from './gates/stability.ts';
import { type HandoffFacts, handoffText } from './handoff-text.ts';
import { ledgerLines } from './ledger-lines.ts';
import { readSession } from './record-file.ts';
import { testsText } from './tests-text.ts';

/** What only the caller can know. */
export interface DeliverableFacts
  extends SafetyFacts,
    Pick<HandoffFacts, 'versions' | 'toggles' | 'now'> {}

/**
 * Writes all of them, for the session of a home, or for its whole ledger where there is no session.
 *
 * @returns the paths of what was written
 * @throws ReportError where there is no ledger; SessionError where the session's record is damaged
 */
export async function writeDeliverables(
  home: string,
  facts: DeliverableFacts,
): Promise<readonly string[]> {
  const session = await readSession(home);
  const since = session === null ? null : Date.parse(session.start) / 1_000;
  const { files } = await summarize(home, facts.now, { since, session: null });
  const tests = join(home, 'results', 'TESTS.md');
  await writeWhole(tests, await testsText(session, ledgerLines(home)));
  const handoff = join(home, 'docs', 'SESSION_HANDOFF.md');
  await writeWhole(
    handoff,
    await withEvidence(home, async (given) => {
      // Before the file that they tell of is there; so the fourth gate, which looks at it, comes after.
      const gates = [
        await judgeRouting(given),
        await judgeStability(given),
        await judgeSafety(given, facts),
      ];
      return handoffText({
        session: given.session,
        records: await recordsOf(given),
        gates,
        ...facts,
      });
    }),
  );
  return [files.metrics, files.summary, tests, handoff];
}
