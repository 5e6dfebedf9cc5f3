/** The commands that read the ledger back: names, options and what each is for. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { REPORT_SNAPSHOTS_MAX } from '../core/limits.ts';
import { sessionHash } from '../ledger/session-hash.ts';
import type { Act } from './program.ts';

const CACHE_TTLS = ['5m', '1h'] as const;
const KEEP_MAX = 1_000_000;
const UNIT_SECONDS = { m: 60, h: 3_600, d: 86_400 } as const;

/** Adds them to the program. */
export function addReportCommands(program: Command, act: Act): void {
  const command = (name: string, description: string): Command =>
    program.command(name).description(description);
  const selecting = (it: Command): Command =>
    it
      .option('--since <time>', 'from then on: 90m, 24h, 7d, or a date such as 2026-11-26', toSince)
      .option('--session <id>', 'only this session of the agent: its id, or its hash', toSession);
  act(
    selecting(
      command('summarize', 'measure the ledger: results/METRICS.json and SUMMARY.md'),
    ).option('--json', 'print the metrics as JSON'),
    async () => (await import('./commands/summarize.ts')).summarize,
  );
  const pricing = (it: Command): Command =>
    selecting(it)
      .option('--plan <lane...>', 'lanes that a flat fee pays, such as zai with a coding plan')
      .addOption(
        new Option(
          '--cache-ttl <time>',
          'how long written caches are kept; the ledger does not say',
        )
          .choices(CACHE_TTLS)
          .default('5m'),
      )
      .option('--prices <file>', 'your own prices (default: prices.json in the home, if there)')
      .option('--json', 'print the result as JSON');
  act(
    pricing(command('cost', 'what each lane cost, and would have cost on the default lane')),
    async () => (await import('./commands/cost.ts')).cost,
  );
  act(
    pricing(command('report', 'the ledger as a page with charts: results/report.html')),
    async () => (await import('./commands/report.ts')).report,
  );
  act(
    command('prune', 'remove all but the freshest snapshots of the metrics')
      .option('--keep <number>', 'how many stay', toKeep, REPORT_SNAPSHOTS_MAX)
      .option('--json', 'print the result as JSON'),
    async () => (await import('./commands/prune.ts')).prune,
  );
}

/** Unix seconds of a moment, or of so long ago. */
function toSince(text: string): number {
  const [, amount = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (unit in UNIT_SECONDS) {
    return Date.now() / 1000 - Number(amount) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  }
  // Only what has one meaning: `Date.parse` guesses at anything else.
  const iso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;
  const milliseconds = iso.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(milliseconds)) return milliseconds / 1000;
  throw new InvalidArgumentError(
    'It must be so long ago (90m, 24h, 7d), or a date or time such as 2026-11-26 or 2026-11-26T14:30Z.',
  );
}

/** The hash that the ledger knows a session by. */
function toSession(text: string): string {
  if (/^[0-9a-f]{16}$/.test(text)) return text;
  if (text === '') throw new InvalidArgumentError('It must be the id of a session, or its hash.');
  return sessionHash(text);
}

function toKeep(text: string): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= KEEP_MAX) return value;
  throw new InvalidArgumentError(`It must be a number from 0 to ${KEEP_MAX}.`);
}
