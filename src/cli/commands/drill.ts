/** `drill NAME`: a scripted load through a proxy, and a verdict on what it did. */
import { type DrillClientName, type DrillName, type Plan, planOf } from '../../drills/plan.ts';
import { createRawClient } from '../../drills/raw-client.ts';
import { describe, progressLine, summary } from '../../drills/report.ts';
import { type DrillOutcome, type Progress, runDrill } from '../../drills/run.ts';
import { loadSdkClients } from '../../drills/sdk-client.ts';
import type { Access, DrillClient } from '../../drills/types.ts';
import { type ClaudeOptions, findClaude, prepareClaude } from '../drill/claude.ts';
import { openTarget, type Target, type TargetOptions } from '../drill/target.ts';
import { CliError, EXIT } from '../failure.ts';
import { print, printJson, say } from '../output.ts';
import type { JsonOption } from '../settings.ts';

interface DrillOptions extends TargetOptions, ClaudeOptions, JsonOption {
  readonly minutes?: number;
  readonly count?: number;
  readonly concurrency?: number;
  readonly pauseMs?: number;
  readonly client: DrillClientName;
}

/** The clients of a drill, and what is to be done when they are closed. */
interface Clients {
  make(): DrillClient;
  close(): void;
}

const PLAIN_LINE_S = 10;

/** Exit code 1 where a check is not met, 130 where it was interrupted. */
export async function drill(options: DrillOptions, args: readonly string[]): Promise<number> {
  const plan = planFor(args[0] as DrillName, options);
  const clientsFor = await clientsOf(options);
  const stop = stopOnSignal();
  const target = await openTarget({ ...options, login: options.client === 'claude' });
  try {
    const outcome = await runOn(target, plan, await clientsFor(target), options, stop);
    report(outcome, target, options);
    if (outcome.interrupted) return EXIT.interrupted;
    return outcome.ok ? EXIT.done : EXIT.failed;
  } finally {
    await target.close();
  }
}

async function runOn(
  target: Target,
  plan: Plan,
  clients: Clients,
  options: DrillOptions,
  stop: AbortSignal,
): Promise<DrillOutcome> {
  const tell = teller();
  try {
    return await runDrill({
      plan,
      client: clients.make,
      proxy: target.view,
      twin: target.twin,
      simulated: target.simulated,
      agent: options.client === 'claude',
      stop,
      onProgress: tell.progress,
    });
  } finally {
    tell.end();
    clients.close();
  }
}

function planFor(name: DrillName, options: DrillOptions): Plan {
  const { minutes, count, concurrency, pauseMs } = options;
  const given = [minutes, count, concurrency, pauseMs].some((value) => value !== undefined);
  if (name === 'warmup' && given) {
    throw new CliError('drill warmup asks three fixed questions; it takes no size', EXIT.usage);
  }
  return planOf(name, { minutes, count, concurrency, pauseMs });
}

/** What can not be had is said before anything is started. */
async function clientsOf(
  options: DrillOptions,
): Promise<(target: Target) => Promise<Clients> | Clients> {
  const { client, claude, turns } = options;
  if (client === 'claude') {
    const program = findClaude(claude);
    return (target) => prepareClaude(program, options, target);
  }
  if (claude !== undefined || turns !== undefined) {
    throw new CliError('--claude and --turns are for --client claude', EXIT.usage);
  }
  const make = client === 'raw' ? createRawClient : await sdkClients();
  return ({ access }) => ({ make: () => make(access), close: () => undefined });
}

async function sdkClients(): Promise<(access: Access) => DrillClient> {
  const clients = await loadSdkClients();
  if (clients !== null) return clients;
  throw new CliError(
    '--client sdk: @anthropic-ai/sdk and undici are not installed beside lanekeeper; install them, or use --client raw',
  );
}

/** The first signal ends the drill in order, the second at once. */
function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  const end = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    say('ending: exchanges under way finish; another signal ends at once');
    controller.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return controller.signal;
}

/** Says on stderr how it goes: one line that changes on a terminal, else a line every 10 s. */
function teller(): { progress(progress: Progress): void; end(): void } {
  const { stderr } = process;
  let next = PLAIN_LINE_S;
  return {
    progress: (progress) => {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[2K${progressLine(progress).slice(0, stderr.columns - 1)}`);
      } else if (progress.seconds >= next) {
        next += PLAIN_LINE_S;
        say(progressLine(progress));
      }
    },
    end: () => {
      if (stderr.isTTY) stderr.write('\r\u001b[2K');
    },
  };
}

function report(outcome: DrillOutcome, target: Target, options: DrillOptions): void {
  const setting = {
    client: options.client,
    via: target.access.via,
    against: target.name,
    evidence: target.evidence,
  };
  if (options.json === true) printJson(summary(outcome, setting));
  else print(describe(outcome, setting));
}
