/** The phase of a session that a drill is: what came of it, as the record keeps it. */
import type { ChaosOutcome } from '../drills/chaos.ts';
import type { Histogram } from '../drills/histogram.ts';
import type { DrillOutcome } from '../drills/run.ts';
import { NO_FIGURES, type Phase, type PhaseFaults } from './record.ts';

/** What of a phase its drill does not know. */
export interface PhaseSetting {
  /** Unix ms: before the first exchange, and after the last record was read. */
  readonly start: number;
  readonly end: number;
  /** As it was typed, redacted. */
  readonly command: string;
  readonly lanes: Phase['lanes'];
  readonly client: string;
  /** The fault plan in force: its name, and how many rules it has. */
  readonly faults: Pick<PhaseFaults, 'name' | 'rules'> | null;
  readonly switches: Phase['switches'];
  /** The `session` of its records in the ledger. */
  readonly marks: readonly string[];
}

/** The phase that a drill was. */
export function phaseOfDrill(outcome: DrillOutcome, setting: PhaseSetting): Phase {
  const { counts, ledger, plan } = outcome;
  const met = Object.fromEntries([...counts.faults].map(([kind, fault]) => [kind, fault.met]));
  return {
    ...frameOf(plan.name, outcome, setting),
    alternates: plan.alternation,
    faults: setting.faults === null ? null : { ...setting.faults, met },
    figures: {
      seconds: outcome.seconds,
      exchanges: counts.exchanges,
      whole: counts.whole,
      spoilt: counts.spoilt,
      misroutes: counts.misroutes,
      stalls: counts.stalls,
      abandoned: counts.abandoned,
      retried: counts.retried,
      records: ledger?.records ?? null,
      errors: Object.fromEntries(counts.errors),
      latency_ms: timesOf(counts.latency),
      ttfb_ms: timesOf(counts.ttfb),
    },
    isolation: outcome.isolation,
  };
}

/** The phase that a chaos drill was. */
export function phaseOfChaos(outcome: ChaosOutcome, setting: PhaseSetting): Phase {
  const { exchanges, seconds, faults, ledger } = outcome;
  return {
    ...frameOf('chaos', outcome, setting),
    alternates: null,
    faults: null,
    figures: {
      ...NO_FIGURES,
      seconds,
      exchanges,
      misroutes: faults.get('misroute') ?? 0,
      records: ledger.records,
      errors: Object.fromEntries(faults),
    },
    isolation: null,
  };
}

type Outcome = Pick<DrillOutcome, 'ok' | 'interrupted' | 'checks'>;
type Frame = Omit<Phase, 'alternates' | 'faults' | 'figures' | 'isolation'>;

function frameOf(name: string, outcome: Outcome, setting: PhaseSetting): Frame {
  const { start, end, command, lanes, client, switches, marks } = setting;
  return {
    name,
    start: new Date(start).toISOString(),
    end: new Date(end).toISOString(),
    verdict: verdictOf(outcome),
    command,
    lanes,
    client,
    switches,
    marks: [...marks],
    checks: [...outcome.checks],
  };
}

/** A failure counts, however the phase ended. */
function verdictOf({ ok, interrupted }: Outcome): Phase['verdict'] {
  if (!ok) return 'not_met';
  return interrupted ? 'interrupted' : 'met';
}

function timesOf(histogram: Histogram): Phase['figures']['latency_ms'] {
  const times = histogram.summary();
  if (times === null) return null;
  const { p50, p95, p99, max } = times;
  return { p50, p95, p99, max };
}
