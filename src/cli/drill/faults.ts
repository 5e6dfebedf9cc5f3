/** What goes wrong in a drill, as its options ask for it: a plan from a file, or the built-in mix. */
import { faultMix } from '../../drills/fault-mix.ts';
import type { FaultPlan } from '../../twin/index.ts';
import { CliError, EXIT } from '../failure.ts';
import { readFaultPlan } from '../fault-plan.ts';

/** How faults are asked for. */
export interface FaultOptions {
  readonly faults?: string;
  readonly faultRate?: number;
  readonly faultSeed?: number;
}

/** A plan, once it is known whether the upstream side speaks HTTP/2. */
export type PlannedFaults = (http2: boolean) => FaultPlan;

const SEED_DEFAULT = 1;

export function asksForFaults({ faults, faultRate }: FaultOptions): boolean {
  return faults !== undefined || faultRate !== undefined;
}

/**
 * Reads the options.
 *
 * @returns null where nothing shall go wrong
 * @throws CliError
 */
export async function plannedFaults(options: FaultOptions): Promise<PlannedFaults | null> {
  const { faults, faultRate, faultSeed } = options;
  if (faultSeed !== undefined && faultRate === undefined) {
    throw new CliError('--fault-seed goes with --fault-rate; a file has its own seed', EXIT.usage);
  }
  if (faults !== undefined && faultRate !== undefined) {
    throw new CliError('--faults and --fault-rate: choose one of them', EXIT.usage);
  }
  if (faultRate !== undefined) {
    const seed = faultSeed ?? SEED_DEFAULT;
    return (http2) => faultMix({ share: faultRate, seed, http2 });
  }
  if (faults === undefined) return null;
  const plan = await readFaultPlan(faults);
  const outage = plan.rules.findIndex(({ fault }) => fault.kind === 'refuse');
  if (outage >= 0) {
    throw new CliError(
      `${faults} rules[${outage}].fault.kind: a drill can not judge "refuse", which befalls requests that the twin never sees\n  mend: take the rule out, or run the plan with lanekeeper twin --faults`,
      EXIT.config,
    );
  }
  return () => plan;
}
