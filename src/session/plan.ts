/**
 * The long session: its phases in their order, and how large each is. `quick` goes the same way in
 * about a minute and a half, on simulated upstreams.
 */
import { type DrillName, type Plan, type PlanOptions, planOf } from '../drills/plan.ts';

/** The phases of a session before what it leaves; `ab` only where it is asked for. */
export const SESSION_PHASES = [
  'preflight',
  'warmup',
  'soak',
  'parallel',
  'burst',
  'chaos',
  'ab',
] as const;
export type SessionPhase = (typeof SESSION_PHASES)[number];

/** How large a session is. */
export interface SessionSize {
  readonly quick: boolean;
  /** Of the soak; null for the usual. */
  readonly soakMinutes: number | null;
  readonly ab: boolean;
}

/** Streams that are open at each act of chaos. */
export const CHAOS_STREAMS = { full: 64, quick: 12 } as const;

const FULL: Partial<Record<SessionPhase, PlanOptions>> = {
  soak: { minutes: 35 },
  parallel: { minutes: 5, pauseMs: 250 },
  burst: { count: 300 },
};
const QUICK: Partial<Record<SessionPhase, PlanOptions>> = {
  soak: { minutes: 0.5, pauseMs: 50 },
  parallel: { count: 80 },
  burst: { count: 30 },
};

/** The phases that a session has. */
export function phasesOf({ ab }: SessionSize): readonly SessionPhase[] {
  return SESSION_PHASES.filter((name) => name !== 'ab' || ab);
}

/** The drill that a phase is; for those that are a load of one kind of client. */
export function drillOfPhase(name: DrillName, { quick, soakMinutes }: SessionSize): Plan {
  const usual = (quick ? QUICK : FULL)[name as SessionPhase] ?? {};
  const minutes = name === 'soak' && soakMinutes !== null ? { minutes: soakMinutes } : {};
  return planOf(name, { ...usual, ...minutes });
}

/** The first phase that is not done, among those of a session; null where all are. */
export function nextPhase(
  phases: readonly SessionPhase[],
  done: ReadonlySet<string>,
): SessionPhase | null {
  return phases.find((name) => !done.has(name)) ?? null;
}
