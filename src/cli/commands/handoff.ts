/** `handoff`: what a session leaves for its reader: metrics, summary, tests, versions, and the handoff. */
import { writeDeliverables } from '../../session/deliverables.ts';
import type { ClaudeOptions } from '../drill/claude.ts';
import { EXIT } from '../failure.ts';
import { print, printJson } from '../output.ts';
import { safetyFacts, togglesOf } from '../session/facts.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';
import { writeVersions } from '../versions.ts';

export async function handoff(options: CommonOptions & JsonOption): Promise<number> {
  const files = await leaveHandoff(options);
  if (options.json === true) printJson({ files });
  else print(files.join('\n'));
  return EXIT.done;
}

/** Writes all of it. @returns the paths */
export async function leaveHandoff(
  options: CommonOptions & Pick<ClaudeOptions, 'claude'>,
): Promise<readonly string[]> {
  const home = homeOf(options);
  const { found, path } = await writeVersions(home, options.claude);
  const written = await writeDeliverables(home, {
    ...(await safetyFacts(options)),
    versions: { ...found },
    toggles: togglesOf(options),
    now: Date.now(),
  });
  return [...written, path];
}
