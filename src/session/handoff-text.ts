/**
 * `docs/SESSION_HANDOFF.md`: what somebody needs who takes a session over: what was run and with which
 * switches, on what, what came of it, where the evidence lies, how to do it again.
 */
import { counted, markdownTable, markdownText } from '../reports/words.ts';
import type { Gate } from './gates/types.ts';
import type { Phase, SessionRecord } from './record.ts';

/** What the document is made of. */
export interface HandoffFacts {
  readonly session: SessionRecord | null;
  /** Records of the ledger in the session. */
  readonly records: number;
  /** The gates that can be judged before this file is there. */
  readonly gates: readonly Gate[];
  /** Name and version of all that took part; null where it was not there. */
  readonly versions: Readonly<Record<string, string | null>>;
  /** Settings in force, by name; never a credential. */
  readonly toggles: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly now: number;
}

const EVIDENCE: readonly (readonly [path: string, what: string])[] = [
  ['logs/usage.jsonl', 'the ledger: one record an exchange'],
  ['logs/anomalies.jsonl', 'one line an abnormal event'],
  ['results/SESSION.json', 'the phases, their checks and figures'],
  ['results/METRICS.json', 'the ledger measured'],
  ['results/SUMMARY.md', 'the same for people'],
  ['results/TESTS.md', 'a few lines of the ledger for each test'],
  ['VERSIONS.json', 'what took part'],
  ['docs/P0-EXIT-CRITERIA.md', 'the gates, ticked where they are met'],
];

const RERUN = `To judge it anew, from these files alone: \`lanekeeper gates\`. To do it anew:

~~~sh
lanekeeper drill warmup --new-session
lanekeeper drill soak --minutes 30
lanekeeper drill parallel
lanekeeper drill burst
lanekeeper drill chaos
lanekeeper verify isolation
lanekeeper handoff
lanekeeper gates
lanekeeper bundle
~~~

Each with the same \`--home\`; in a checkout, \`make\` has targets of these names.`;

/** The whole document. */
export function handoffText(facts: HandoffFacts): string {
  const { session, records, now } = facts;
  const parts = [
    '# Session handoff',
    aboutText(facts),
    '## What was run',
    phaseTable(session?.phases ?? []),
    commandsText(session?.phases ?? []),
    '## Switches and settings',
    'Settings are those of the environment in which this was written, switches those of the proxy when a phase began.',
    pairs(facts.toggles),
    switchesText(session?.phases ?? []),
    '## Versions',
    pairs(facts.versions),
    '## What was not met',
    unmetText(facts),
    '## Evidence',
    markdownTable(
      ['file, from the home', 'what'],
      EVIDENCE.map(([path, what]) => [`\`${path}\``, what]),
    ),
    '## Again',
    RERUN,
    handoffMark(session, records),
    `Made ${new Date(now).toISOString()}.`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** What a program looks for in the document: which session it is about, and how much it saw of it. */
export function handoffMark(session: SessionRecord | null, records: number): string {
  return `<!-- lanekeeper handoff: session ${session?.id ?? 'none'}, ${records} records -->`;
}

function aboutText({ session, records, gates }: HandoffFacts): string {
  const judged = gates.map(({ name, met }) => `${name} ${met ? 'met' : '**not met**'}`).join(', ');
  const about =
    session === null
      ? 'No session was recorded: this is about the whole ledger.'
      : `Session \`${session.id}\`, ${session.start} to ${session.end ?? 'now'}, ` +
        `${session.by === 'session' ? 'run as one' : 'put together from single drills'}.`;
  return `${about} ${counted(records)} exchanges in the ledger. Gates: ${judged}.`;
}

function phaseTable(phases: readonly Phase[]): string {
  if (phases.length === 0) return 'No phase was recorded.';
  const rows = phases.map(({ name, start, verdict, lanes, client, faults, figures }) => [
    markdownText(name),
    start,
    `${(figures.seconds / 60).toFixed(1)} min`,
    lanes,
    markdownText(client),
    markdownText(faults?.name ?? '-'),
    counted(figures.exchanges),
    verdict === 'met' ? 'met' : `**${verdict.replace('_', ' ')}**`,
  ]);
  const head = ['phase', 'began', 'load', 'lanes', 'client', 'fault plan', 'exchanges', 'verdict'];
  return markdownTable(head, rows);
}

function commandsText(phases: readonly Phase[]): string {
  if (phases.length === 0) return '';
  const typed = phases.map(({ command }) => command.replace(/[\r\n~]/g, '?'));
  // The phases of one command have the same.
  return ['~~~sh', ...new Set(typed), '~~~'].join('\n');
}

function switchesText(phases: readonly Phase[]): string {
  const rows = phases.flatMap(({ name, switches }) =>
    switches === null
      ? []
      : [[markdownText(name), onOff(switches.force), onOff(switches.paused), onOff(switches.tee)]],
  );
  return rows.length === 0 ? '' : markdownTable(['phase', 'force', 'paused', 'tee'], rows);
}

function unmetText({ session, gates }: HandoffFacts): string {
  const lines = [
    ...gates.flatMap(({ name, evidence }) =>
      evidence.reasons.map((reason) => `gate ${name}: ${reason}`),
    ),
    ...(session?.phases ?? []).flatMap(({ name, verdict }) =>
      verdict === 'met' ? [] : [`phase ${name}: ${verdict.replace('_', ' ')}`],
    ),
  ];
  const last =
    'The observability gate looks at this file too, and is judged after it: see `docs/P0-EXIT-CRITERIA.md`.';
  if (lines.length === 0) return `Nothing of what could be judged so far. ${last}`;
  return `${lines.map((line) => `- ${markdownText(line)}`).join('\n')}\n\n${last}`;
}

function pairs(values: Readonly<Record<string, string | null>>): string {
  const rows = Object.entries(values).map(([name, value]) => [
    `\`${name}\``,
    markdownText(value ?? 'none'),
  ]);
  return markdownTable(['', ''], rows);
}

function onOff(on: boolean): string {
  return on ? 'on' : 'off';
}
