/** `gates`: judges the acceptance gates from what a session left, and ticks the criteria. */
import { join } from 'node:path';

import { updateCriteria } from '../../session/gates/criteria.ts';
import { judgeGates } from '../../session/gates/judge.ts';
import { gatesText } from '../../session/gates/text.ts';
import { EXIT } from '../failure.ts';
import { print, printJson } from '../output.ts';
import { PACKAGE_ROOT } from '../package-info.ts';
import { safetyFacts } from '../session/facts.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

export const CRITERIA = join(PACKAGE_ROOT, 'docs', 'P0-EXIT-CRITERIA.md');

/** Exit code 1 where a gate is not met. */
export async function gates(options: CommonOptions & JsonOption): Promise<number> {
  const home = homeOf(options);
  const judged = await judgeGates(home, await safetyFacts(options));
  const criteria = await updateCriteria(home, CRITERIA, judged, Date.now());
  if (options.json === true) printJson({ gates: judged });
  else print(`${gatesText(judged)}\ncriteria: ${criteria}`);
  return judged.every(({ met }) => met) ? EXIT.done : EXIT.failed;
}
