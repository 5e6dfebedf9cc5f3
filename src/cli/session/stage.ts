/**
 * The proxy that a session runs on, and its drills as phases: one proxy from the warm-up to the burst,
 * started anew only where a phase is repeated with another switch. With simulated upstreams it is the
 * session's own; else it is the one that runs for the home.
 */
import { randomUUID } from 'node:crypto';

import type { Plan } from '../../drills/plan.ts';
import type { DrillOutcome } from '../../drills/run.ts';
import { type ClientOptions, clientsOf } from '../drill/clients.ts';
import { drillOnTarget, type LoadOptions } from '../drill/on-target.ts';
import type { Teller } from '../drill/progress.ts';
import { proxyView } from '../drill/proxy-view.ts';
import { openTarget, type Target, type TargetOptions } from '../drill/target.ts';
import type { PhaseOptions } from './phase.ts';

export interface StageOptions extends TargetOptions, ClientOptions, PhaseOptions {}

/** Switches of a proxy that is the session's own. */
export type StageSwitches = Readonly<Partial<Record<'MITM_ENABLE_BACKOFF' | 'MITM_FORCE_H1', '1'>>>;

export interface Stage {
  readonly simulated: boolean;
  /** For people. */
  readonly name: string;
  /** True where it can be started anew with other switches, or ended. */
  readonly isOwn: boolean;
  /** Runs a drill, and keeps it as a phase. */
  drill(plan: Plan, amend?: LoadOptions['amend']): Promise<DrillOutcome>;
  /** Ends it and starts it with these switches. */
  restart(switches: StageSwitches): Promise<void>;
  close(): Promise<void>;
}

/** Opens it; the caller closes it. */
export async function openStage(
  options: StageOptions,
  stop: AbortSignal,
  tell: Teller,
): Promise<Stage> {
  const clientsFor = await clientsOf(options);
  const open = (env: StageSwitches = {}): Promise<Target> => {
    const login = options.client === 'claude';
    return openTarget({ ...options, env, login }, options.client === 'sdk');
  };
  let target = await open();
  return {
    simulated: target.simulated,
    name: target.name,
    isOwn: target.twin !== null,
    async drill(plan, amend) {
      const phase = phaseTarget(target);
      const clients = await clientsFor(phase);
      const common = { plan, target: phase, clients, options, stop, tell };
      return drillOnTarget(amend === undefined ? common : { ...common, amend });
    },
    async restart(switches) {
      await target.close();
      target = await open(switches);
    },
    close: () => target.close(),
  };
}

/** The same proxy under a session id of its own; it goes on when the phase is over. */
function phaseTarget(target: Target): Target {
  const { home, evidence } = target;
  const access = { ...target.access, session: randomUUID() };
  const { session } = access;
  const view =
    evidence === null ? target.view : proxyView({ home, ledger: evidence, session, stop: null });
  return { ...target, access, view };
}
