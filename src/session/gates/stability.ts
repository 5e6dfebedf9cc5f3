/**
 * The stability gate: a soak of half an hour, a burst and a parallel run that met all of their checks,
 * and no stream of the session that was not whole.
 *
 * Phases in which something was broken on purpose (a fault plan, chaos) are told apart: their streams
 * can not all be whole, their drill holds each against what the upstream did, and its verdict counts.
 */
import { DRILL_STALL_MS, GATE_SOAK_MS_MIN } from '../../core/limits.ts';
import type { Row } from '../../reports/database.ts';
import { plural } from '../../reports/words.ts';
import type { Phase } from '../record.ts';
import { countIn, type Gate, type GateCase, gateOf, idsIn, reasonsOfLedger } from './types.ts';

const QUERIES = ['gate-stability', 'gate-phases'] as const;
const MS_PER_MINUTE = 60_000;
/** Phases that other gates judge. */
const ELSEWHERE: ReadonlySet<string> = new Set(['isolation', 'preflight']);
const ENDS = [
  ['stalled', 'stalled'],
  ['cut', 'cut'],
  ['upstream_error', 'ended by an error event'],
  ['client_gone', 'left by the client'],
] as const;

/** What the ledger holds of one phase. */
interface PhaseLedger {
  readonly records: number;
  /** From the begin of the first exchange to the end of the last, ms. */
  readonly spanMs: number;
}

/** Judges it. */
export async function judgeStability(given: GateCase): Promise<Gate> {
  const { session } = given;
  const phases = (session?.phases ?? []).filter(({ name }) => !ELSEWHERE.has(name));
  const broken = phases.filter(isBrokenOnPurpose);
  const held = await phaseLedgers(given, phases);
  const row = await totals(
    given,
    broken.flatMap(({ marks }) => marks),
  );
  const soakMs = Math.max(0, ...phases.map((phase) => soakOf(phase, held.get(phase))));
  const reasons = [
    ...reasonsOfLedger(given),
    ...(session === null ? ['no session was recorded: results/SESSION.json is not there'] : []),
    ...streamReasons(row, given),
    ...phases.flatMap((phase) => phaseReasons(phase, held.get(phase))),
    ...(soakMs >= GATE_SOAK_MS_MIN ? [] : [shortReason(soakMs)]),
    ...['burst', 'parallel'].filter((name) => !phases.some(isGood(name))).map(neverReason),
  ];
  return gateOf('stability', {
    reasons,
    soak_minutes: minutes(soakMs),
    soak_minutes_needed: minutes(GATE_SOAK_MS_MIN),
    streams: {
      all: countIn(row, 'streams'),
      complete_and_intact: countIn(row, 'whole'),
      ...Object.fromEntries(ENDS.map(([end]) => [end, countIn(row, end)])),
    },
    exchanges: countIn(row, 'exchanges'),
    errors: countIn(row, 'errors'),
    timeouts: countIn(row, 'timeouts'),
    altered: countIn(row, 'altered'),
    broken_on_purpose: {
      exchanges: countIn(row, 'apart'),
      phases: broken.map(({ name, faults }) => ({ name, fault_plan: faults })),
    },
    phases: phases.map((phase) => phaseFigures(phase, held.get(phase))),
    queries: [...QUERIES],
  });
}

function isBrokenOnPurpose({ name, faults }: Phase): boolean {
  return name === 'chaos' || faults !== null;
}

function isGood(wanted: string): (phase: Phase) => boolean {
  return (phase) =>
    phase.name === wanted &&
    phase.verdict === 'met' &&
    phase.figures.exchanges > 0 &&
    phase.faults === null;
}

/** How long a soak was, ms: no longer than its own clock, nor than the ledger shows. */
function soakOf(phase: Phase, held: PhaseLedger | undefined): number {
  if (!isGood('soak')(phase) || held === undefined) return 0;
  // A last exchange and the pause behind it may be missing at the end.
  return Math.min(phase.figures.seconds * 1_000, held.spanMs + DRILL_STALL_MS);
}

async function totals({ ledger, window }: GateCase, apart: readonly string[]): Promise<Row> {
  if (ledger === null) return {};
  await ledger.database.set('until', window.until);
  await ledger.database.set('apart', apart);
  return (await ledger.database.run('gate-stability'))[0] ?? {};
}

async function phaseLedgers(
  { ledger }: GateCase,
  phases: readonly Phase[],
): Promise<Map<Phase, PhaseLedger>> {
  const held = new Map<Phase, PhaseLedger>();
  if (ledger === null) return held;
  await ledger.database.set(
    'marks',
    phases.flatMap(({ marks }) => marks),
  );
  const rows = await ledger.database.run('gate-phases');
  for (const phase of phases) {
    const own = rows.filter((row) => phase.marks.includes(String(row['mark'])));
    if (own.length === 0) continue;
    const first = Math.min(...own.map((row) => countIn(row, 'first_ts')));
    const last = Math.max(...own.map((row) => countIn(row, 'last_ts')));
    const records = own.reduce((all, row) => all + countIn(row, 'records'), 0);
    held.set(phase, { records, spanMs: (last - first) * 1_000 });
  }
  return held;
}

function streamReasons(row: Row, { ledger }: GateCase): string[] {
  if (ledger === null) return [];
  const found = [
    ...ENDS.map(([end, what]) => [countIn(row, end), 'stream', what] as const),
    [countIn(row, 'altered'), 'exchange', 'not delivered as received'] as const,
    [countIn(row, 'timeouts'), 'exchange', 'timed out'] as const,
  ];
  const reasons = found.flatMap(([count, noun, what]) =>
    count > 0 ? [`${plural(count, noun)} ${what}`] : [],
  );
  if (reasons.length > 0) reasons.push(`the first of them${idsIn(row)}`);
  if (countIn(row, 'streams') === 0) reasons.push('no stream was recorded');
  return reasons;
}

function phaseReasons(phase: Phase, held: PhaseLedger | undefined): string[] {
  const { name, verdict, figures, checks } = phase;
  const reasons: string[] = [];
  if (verdict === 'not_met') {
    const failed = checks.filter(({ met }) => met === false);
    const why = failed.map((check) => `${check.name}: ${check.detail}`).join('; ');
    reasons.push(`${name} was not met: ${why || 'it does not say why'}`);
  }
  if ((figures.stalls ?? 0) > 0)
    reasons.push(`${name} had ${plural(figures.stalls ?? 0, 'stall')}`);
  const records = held?.records ?? 0;
  if (figures.records !== null && figures.records !== records) {
    reasons.push(
      `${name} counted ${plural(figures.records, 'record')}, the ledger holds ${records} of it`,
    );
  }
  return reasons;
}

function shortReason(soakMs: number): string {
  const needed = minutes(GATE_SOAK_MS_MIN);
  if (soakMs === 0) return `no soak that met its checks was recorded; ${needed} minutes are needed`;
  return `the longest soak lasted ${minutes(soakMs)} minutes; ${needed} are needed`;
}

function neverReason(name: string): string {
  return `no ${name} that met its checks was recorded`;
}

function phaseFigures(phase: Phase, held: PhaseLedger | undefined) {
  const { name, verdict, lanes, client, faults, figures } = phase;
  const records = held?.records ?? 0;
  return {
    name,
    verdict,
    lanes,
    client,
    fault_plan: faults?.name ?? null,
    minutes: minutes(figures.seconds * 1_000),
    exchanges: figures.exchanges,
    records_in_ledger: records,
  };
}

/** To a hundredth, and never more than it was. */
function minutes(ms: number): number {
  return Math.floor((ms / MS_PER_MINUTE) * 100) / 100;
}
