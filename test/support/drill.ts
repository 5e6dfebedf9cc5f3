/** A drill as its users run it, with its result as an object. */
import assert from 'node:assert/strict';
import type { summary } from '../../src/drills/report.ts';
import { type CommandResult, runCommand } from './command.ts';

/** What `drill NAME --json` prints. */
export type Summary = ReturnType<typeof summary>;

/** Runs a drill over a home, with an environment that is empty but for `env`. */
export async function drill(
  home: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult & { readonly value: Summary }> {
  const result = await runCommand(['drill', ...args, '--home', home, '--json'], { home, env });
  assert.match(result.stdout, /^\{/, result.stderr);
  return { ...result, value: JSON.parse(result.stdout) as Summary };
}

/** Names of the checks that are not met. */
export function failing({ checks }: Pick<Summary, 'checks'>): string[] {
  return checks.flatMap((check) => (check.met === false ? [check.name] : []));
}
