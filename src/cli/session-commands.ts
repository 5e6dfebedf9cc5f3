/** The commands that judge a session and hand it over: names, options and what each is for. */
import { Argument, type Command, InvalidArgumentError } from 'commander';

import { ISOLATION_REQUESTS_MAX } from '../core/limits.ts';
import type { Act } from './program.ts';

const VERIFIED = ['sse', 'routing', 'isolation'] as const;
const VERIFY_HELP = `
Checks:
  sse         one stream of each lane, compared byte for byte with what the twin sent; over a running
              proxy by its grammar and the ledger
  routing     every exchange of the ledger on its lane; with --live what the running proxy would decide
  isolation   canaries of every kind of credential through thousands of exchanges of proxies of its own,
              and a search of all that each upstream received, was written and was told

Exit: 0 all is well, 1 something was found.`;

/** Adds them to the program. */
export function addSessionCommands(program: Command, act: Act): void {
  const command = (name: string, description: string): Command =>
    program.command(name).description(description).option('--json', 'print the result as JSON');
  act(
    command('verify', 'one check on demand')
      .addArgument(new Argument('<check>', 'which').choices(VERIFIED))
      .option('--live', 'routing: and what the running proxy would decide')
      .option(
        '--twin',
        'sse: a proxy of its own with the twin behind it, even where one is running',
      )
      .option('--gateway', 'sse: plain requests to the proxy itself')
      .option('--count <number>', 'isolation: exchanges, about (2000)', toCount)
      .addHelpText('after', VERIFY_HELP),
    async () => (await import('./commands/verify.ts')).verify,
  );
  act(
    command(
      'gates',
      'judge the acceptance gates from what a session left; exit 1 if one is not met',
    ),
    async () => (await import('./commands/gates.ts')).gates,
  );
  act(
    command('handoff', 'write what a session leaves: metrics, summary, tests, versions, handoff'),
    async () => (await import('./commands/handoff.ts')).handoff,
  );
  act(
    command('bundle', 'the review archive, without secrets and bodies: bundle/*.tgz'),
    async () => (await import('./commands/bundle.ts')).bundle,
  );
}

function toCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= ISOLATION_REQUESTS_MAX) return count;
  throw new InvalidArgumentError(`It must be a number from 1 to ${ISOLATION_REQUESTS_MAX}.`);
}
