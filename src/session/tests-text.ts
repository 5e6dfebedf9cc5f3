/**
 * `results/TESTS.md`: for each test of a session its verdict, and two to four lines of the ledger that
 * show it, as they stand there.
 */
import type { UsageRecord } from '../ledger/record.ts';
import { markdownText } from '../reports/words.ts';
import type { LedgerLine } from './ledger-lines.ts';
import type { Phase, SessionRecord } from './record.ts';

/** A test: what is claimed, in which phase, and which records show it. */
interface ShownTest {
  readonly name: string;
  readonly claim: string;
  readonly phase: string;
  /** The check of the phase that is its verdict; null: the phase as a whole. */
  readonly check: string | null;
  readonly shows: (record: UsageRecord) => boolean;
}

/** A stream of the size that T3 asks for has at least so many events. */
const MEDIUM_EVENTS = 40;
const LINES_MIN = 2;
const LINES_MAX = 4;
const FENCE = '```';
const ALL = (): boolean => true;

const TESTS: readonly ShownTest[] = [
  {
    name: 'T1',
    claim: 'Haiku lands on zai, forced',
    phase: 'warmup',
    check: 'T1',
    shows: ({ lane, decision }) => lane === 'zai' && decision === 'forced_model',
  },
  {
    name: 'T2',
    claim: 'Sonnet stays on anthropic',
    phase: 'warmup',
    check: 'T2',
    shows: ({ lane, decision, model }) =>
      lane === 'anthropic' && decision === 'default' && model?.includes('sonnet') === true,
  },
  {
    name: 'T3',
    claim: 'a medium stream is whole',
    phase: 'warmup',
    check: 'T3',
    shows: ({ sse, sse_events: events, intact }) =>
      sse === 'complete' && intact && events >= MEDIUM_EVENTS,
  },
  ofDrill('soak', 'Sonnet and Haiku in turn for a long time, and nothing lost, held up or leaked'),
  ofDrill('parallel', 'Haiku workers at once'),
  ofDrill('burst', 'Sonnet and Haiku in turn, as fast as it goes'),
  ofDrill('chaos', 'the proxy ended, killed and restarted in the middle of running streams'),
];

function ofDrill(name: string, claim: string): ShownTest {
  return { name, claim, phase: name, check: null, shows: ALL };
}

/**
 * Makes the text.
 *
 * @param lines the ledger, once, oldest first
 */
export async function testsText(
  session: SessionRecord | null,
  lines: AsyncIterable<LedgerLine>,
): Promise<string> {
  const collected = TESTS.map((test) => ({ test, ...collector(test, session) }));
  for await (const line of lines) for (const { offer } of collected) offer(line);
  const about =
    session === null
      ? 'No session was recorded; lines are those of the whole ledger.'
      : `Session ${session.id}, ${session.start} to ${session.end ?? 'now'}. ` +
        'Each line is one of `logs/usage.jsonl`, as it stands there.';
  const sections = collected.map(({ test, taken }) => sectionOf(test, session, taken()));
  return `${['# Tests', about, ...sections].join('\n\n')}\n`;
}

/** The lines of a ledger that a text made here quotes. */
export function quotedLines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.startsWith('{'));
}

/**
 * Takes the first two lines of the phase and the last two; where it has fewer than two, the first of the
 * session that show the same.
 */
function collector({ phase, shows }: ShownTest, session: SessionRecord | null) {
  const marks = new Set(phasesOf(session, phase).flatMap((one) => one.marks));
  const since = session === null ? 0 : Date.parse(session.start) / 1_000;
  const first: string[] = [];
  const last: string[] = [];
  const spare: string[] = [];
  return {
    offer: ({ record, text }: LedgerLine): void => {
      if (record.ts < since || !shows(record)) return;
      if (record.session !== null && marks.has(record.session)) {
        if (first.length < LINES_MIN) first.push(text);
        else last.push(text);
        if (last.length > LINES_MAX - LINES_MIN) last.shift();
      } else if (shows !== ALL && spare.length < LINES_MIN) spare.push(text);
    },
    taken: (): readonly string[] => {
      const own = [...first, ...last];
      return [...own, ...spare.slice(0, Math.max(0, LINES_MIN - own.length))];
    },
  };
}

function sectionOf(
  test: ShownTest,
  session: SessionRecord | null,
  lines: readonly string[],
): string {
  const phases = phasesOf(session, test.phase);
  const title = `## ${test.name}: ${test.claim}`;
  const verdicts =
    phases.length === 0
      ? [`Not run: no ${test.phase} was recorded.`]
      : phases.map((phase) => verdictLine(test, phase));
  const shown =
    lines.length === 0 ? 'No record shows it.' : [`${FENCE}jsonl`, ...lines, FENCE].join('\n');
  return [title, verdicts.join('\n'), shown].join('\n\n');
}

function verdictLine({ check }: ShownTest, phase: Phase): string {
  const checks = phase.checks.filter(({ name }) => check === null || name.startsWith(check));
  const told = checks.map(({ name, met, detail }) => {
    const word = met === null ? 'not judged' : met ? 'met' : 'NOT MET';
    return `${name} ${word} (${detail})`;
  });
  const faults = phase.faults === null ? '' : `, under the fault plan ${phase.faults.name}`;
  const verdict = phase.verdict.replace('_', ' ');
  return markdownText(
    `- ${verdict}, ${phase.start}, ${phase.lanes} lanes, ${phase.client} client${faults}: ${told.join('; ')}`,
  ).replace(/^\\?- /, '- ');
}

function phasesOf(session: SessionRecord | null, name: string): readonly Phase[] {
  return (session?.phases ?? []).filter((phase) => phase.name === name);
}
