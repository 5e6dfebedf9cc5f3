/** `drill NAME`: a scripted load through a proxy, and a verdict on what it did. */
import { type Alternation, type DrillName, type Plan, planOf } from '../../drills/plan.ts';
import { describe, type Setting, summary } from '../../drills/report.ts';
import type { DrillOptions as RunOptions } from '../../drills/run.ts';
import type { DrillLane } from '../../drills/types.ts';
import { type AbOptions, abDrill } from '../drill/ab.ts';
import { type ChaosDrillOptions, chaosDrill } from '../drill/chaos.ts';
import { type ClientOptions, clientsOf, wireClientsOf } from '../drill/clients.ts';
import { drillOnTarget } from '../drill/on-target.ts';
import { stopOnSignal, type Teller, teller } from '../drill/progress.ts';
import { snapshotsIn } from '../drill/snapshots.ts';
import { openTarget, type Target, type TargetOptions } from '../drill/target.ts';
import { CliError, EXIT } from '../failure.ts';
import { print, printJson, say } from '../output.ts';
import type { PhaseOptions } from '../session/phase.ts';
import type { JsonOption } from '../settings.ts';

interface DrillOptions
  extends TargetOptions,
    ClientOptions,
    JsonOption,
    PhaseOptions,
    Pick<ChaosDrillOptions, 'act' | 'port' | 'after'>,
    Pick<AbOptions, 'of' | 'rttMs'> {
  readonly minutes?: number;
  readonly count?: number;
  readonly concurrency?: number;
  readonly pauseMs?: number;
  readonly alternate?: Alternation;
  readonly metricsEvery?: number;
}

const MS_PER_MINUTE = 60_000;

/** Exit code 1 where a check is not met, 130 where it was interrupted. */
export async function drill(options: DrillOptions, args: readonly string[]): Promise<number> {
  const name = args[0] as DrillName | 'chaos' | 'ab';
  checkOptions(name, options);
  if (name === 'chaos') return chaosDrill(options, stopOnSignal());
  if (name === 'ab') {
    const clients = await wireClientsOf(options);
    return abDrill(options, {
      name: options.client,
      clients,
      stop: stopOnSignal(),
      tell: teller(),
    });
  }
  return load(planFor(name, options), options);
}

/** The drills that are a load of one kind of client, and nothing else. */
async function load(plan: Plan, options: DrillOptions): Promise<number> {
  const clientsFor = await clientsOf(options);
  const stop = stopOnSignal();
  const openOptions = { ...options, login: options.client === 'claude' };
  const target = await openTarget(openOptions, mayUseHttp2(options));
  try {
    const tell = teller();
    const setting = settingOf(target, options);
    const setLane = await laneSetter(plan, target);
    const outcome = await drillOnTarget({
      plan,
      target,
      clients: await clientsFor(target),
      options,
      stop,
      tell,
      more: {
        ...(setLane === null ? {} : { setLane }),
        ...interimOf(plan, target, options, tell),
      },
    });
    if (options.json === true) printJson(summary(outcome, setting));
    else print(describe(outcome, setting));
    if (outcome.interrupted) return EXIT.interrupted;
    return outcome.ok ? EXIT.done : EXIT.failed;
  } finally {
    await target.close();
  }
}

/** Options of one drill are not silently without effect on another. */
function checkOptions(name: string, options: DrillOptions): void {
  const { of, rttMs, act, port, after, alternate, client } = options;
  const refuse = (what: string, whose: string): never => {
    throw new CliError(`${what} for drill ${whose}, not for ${name}`, EXIT.usage);
  };
  if ((of ?? rttMs) !== undefined && name !== 'ab') refuse('--of and --rtt-ms are', 'ab');
  if ((act ?? port ?? after) !== undefined && name !== 'chaos') {
    refuse('--act, --port and --after are', 'chaos');
  }
  if (alternate !== undefined && name !== 'soak') refuse('--alternate is', 'soak');
  if (client !== 'raw' && name === 'chaos') {
    throw new CliError('drill chaos has the built-in client: leave --client out', EXIT.usage);
  }
}

function planFor(name: DrillName, options: DrillOptions): Plan {
  const { minutes, count, concurrency, pauseMs, alternate: alternation } = options;
  const given = [minutes, count, concurrency, pauseMs].some((value) => value !== undefined);
  if (name === 'warmup' && given) {
    throw new CliError('drill warmup asks three fixed questions; it takes no size', EXIT.usage);
  }
  return planOf(name, { minutes, count, concurrency, pauseMs, alternation });
}

/** The SDK takes HTTP/2 where it is offered, as in a tunnel; the built-in client never does. */
function mayUseHttp2({ client, gateway }: DrillOptions): boolean {
  return client === 'sdk' && gateway !== true;
}

function settingOf(target: Target, { client }: DrillOptions): Setting {
  return { client, via: target.access.via, against: target.name, evidence: target.evidence };
}

/** How the plan's switch is set before a request; null where the plan leaves it alone. */
async function laneSetter(
  { alternation }: Plan,
  { force }: Target,
): Promise<((lane: DrillLane) => Promise<void>) | null> {
  if (alternation === null) return null;
  if (force === null) {
    throw new CliError(
      '--alternate sets a switch of the proxy, which is reached through its home: name it with --home',
      EXIT.usage,
    );
  }
  // With the switch on throughout, the models alternate the lanes.
  if (alternation === 'model') await force(true);
  return (lane) => force(lane === 'zai');
}

function interimOf(
  plan: Plan,
  target: Target,
  options: DrillOptions,
  tell: Teller,
): Pick<RunOptions, 'interim'> {
  const { metricsEvery } = options;
  if (metricsEvery === undefined) return {};
  const snapshots = snapshotsIn(target.home, plan.name, new Date());
  const setting = settingOf(target, options);
  return {
    interim: {
      everyMs: metricsEvery * MS_PER_MINUTE,
      tell: (outcome) => {
        tell.end();
        say(describe(outcome, setting));
        say(snapshots.write(summary(outcome, setting)));
      },
    },
  };
}
