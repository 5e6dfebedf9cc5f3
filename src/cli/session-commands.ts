/** The commands that judge a session and hand it over: names, options and what each is for. */
import { Argument, type Command } from 'commander';

import type { Act } from './program.ts';

const VERIFIED = ['sse', 'routing', 'isolation'] as const;
const VERIFY_HELP = `
Checks:
  sse         one stream of each lane, compared byte for byte with what the twin sent; over a running
              proxy by its grammar and the ledger
  routing     every exchange of the ledger on its lane; with --live what the running proxy would decide
  isolation   canaries of every kind of credential through a proxy of its own, and a search of all that
              each upstream received and of every file that was written

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
