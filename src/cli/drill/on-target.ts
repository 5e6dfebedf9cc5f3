/** A drill that is a load of one kind of client, on a proxy that is there, kept as a phase of its session. */
import type { LaneCredentials } from '../../drills/isolation.ts';
import type { Plan } from '../../drills/plan.ts';
import { progressLine } from '../../drills/report.ts';
import { type DrillOptions, type DrillOutcome, runDrill } from '../../drills/run.ts';
import { phaseOfDrill } from '../../session/phases.ts';
import type { Phase } from '../../session/record.ts';
import { beginPhase, type PhaseOptions } from '../session/phase.ts';
import { bare } from '../session/secrets.ts';
import type { ClientOptions, Clients } from './clients.ts';
import type { Teller } from './progress.ts';
import type { Target } from './target.ts';

/** What such a drill runs with. */
export interface LoadOptions {
  readonly plan: Plan;
  readonly target: Target;
  readonly clients: Clients;
  readonly options: PhaseOptions & Pick<ClientOptions, 'client'>;
  readonly stop: AbortSignal;
  readonly tell: Teller;
  /** Further options of the drill itself. */
  readonly more?: Partial<Pick<DrillOptions, 'setLane' | 'interim'>>;
  /** Changes the phase before it is kept. */
  readonly amend?: (phase: Phase, outcome: DrillOutcome) => Phase | Promise<Phase>;
}

/** Runs it to its end, closes its clients, and keeps it. */
export async function drillOnTarget(load: LoadOptions): Promise<DrillOutcome> {
  const { plan, target, clients, options, stop, tell, more } = load;
  const keep = await beginPhase(options, {
    evidence: target.evidence,
    simulated: target.simulated,
    client: options.client,
    twin: target.twin,
    sessions: [target.access.session],
  });
  const credentials = credentialsOf(target);
  const outcome = await runDrill({
    plan,
    client: clients.make,
    proxy: target.view,
    twin: target.twin,
    ...(credentials === undefined ? {} : { credentials }),
    simulated: target.simulated,
    agent: options.client === 'claude',
    stop,
    onProgress: (progress) => tell.line(progress.seconds, progressLine(progress)),
    ...more,
  }).finally(() => {
    tell.end();
    clients.close();
  });
  await keep((setting) => {
    const phase = phaseOfDrill(outcome, setting);
    return load.amend === undefined ? phase : load.amend(phase, outcome);
  });
  return outcome;
}

/** What must not be seen at the other upstream, where the drill can look at both. */
function credentialsOf({ access, twin }: Target): LaneCredentials | undefined {
  const key = twin?.zai.key ?? null;
  return key === null ? undefined : { anthropic: bare(access.credential[1]), zai: key };
}
