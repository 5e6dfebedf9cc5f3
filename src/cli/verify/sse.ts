/** `verify sse`: one stream of each lane, as its upstream sent it, to its end. */
import { planOf } from '../../drills/plan.ts';
import { createRawClient } from '../../drills/raw-client.ts';
import { describe, summary } from '../../drills/report.ts';
import { runDrill } from '../../drills/run.ts';
import { openTarget, type TargetOptions } from '../drill/target.ts';
import { print, printJson } from '../output.ts';
import type { JsonOption } from '../settings.ts';

export type VerifySseOptions = TargetOptions & JsonOption;

/**
 * True where both are whole: byte for byte with a twin of its own, which it takes where no proxy runs
 * for the home, else by grammar and ledger.
 */
export async function verifySse(options: VerifySseOptions): Promise<boolean> {
  const target = await openTarget(options, false);
  try {
    const outcome = await runDrill({
      plan: { ...planOf('alternate', { count: 2, pauseMs: 0 }), shapeOf: () => 'medium' },
      client: () => createRawClient(target.access),
      proxy: target.view,
      twin: target.twin,
      simulated: target.simulated,
      stop: new AbortController().signal,
    });
    const { via } = target.access;
    const setting = { client: 'raw', via, against: target.name, evidence: target.evidence };
    if (options.json === true) printJson(summary(outcome, setting));
    else print(describe(outcome, setting));
    return outcome.ok;
  } finally {
    await target.close();
  }
}
