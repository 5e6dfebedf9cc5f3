/** `drill NAME`: a scripted load through a proxy, and a verdict on what it did. */
import { type DrillClientName, type DrillName, type Plan, planOf } from '../../drills/plan.ts';
import { createRawClient } from '../../drills/raw-client.ts';
import { describe, progressLine, summary } from '../../drills/report.ts';
import { type DrillOutcome, runDrill } from '../../drills/run.ts';
import { loadSdkClients } from '../../drills/sdk-client.ts';
import type { Access, DrillClient } from '../../drills/types.ts';
import { type AbOptions, abDrill } from '../drill/ab.ts';
import { type ChaosDrillOptions, chaosDrill } from '../drill/chaos.ts';
import { openTarget, type Target, type TargetOptions } from '../drill/target.ts';
import { CliError, EXIT } from '../failure.ts';
import { print, printJson, say } from '../output.ts';
import type { JsonOption } from '../settings.ts';

interface DrillOptions
  extends TargetOptions,
    JsonOption,
    Pick<ChaosDrillOptions, 'act' | 'port' | 'after'>,
    Pick<AbOptions, 'of' | 'rttMs'> {
  readonly minutes?: number;
  readonly count?: number;
  readonly concurrency?: number;
  readonly pauseMs?: number;
  readonly client: DrillClientName;
}

const PLAIN_LINE_S = 10;

/** Exit code 1 where a check is not met, 130 where it was interrupted. */
export async function drill(options: DrillOptions, args: readonly string[]): Promise<number> {
  const name = args[0] as DrillName | 'chaos' | 'ab';
  if (name === 'chaos') return chaosDrill(options, stopOnSignal());
  if (name === 'ab') {
    const clients = await clientsFor(options.client);
    return abDrill(options, {
      name: options.client,
      clients,
      stop: stopOnSignal(),
      tell: teller(),
    });
  }
  const plan = planFor(name, options);
  const clients = await clientsFor(options.client);
  const stop = stopOnSignal();
  const target = await openTarget(options);
  try {
    const tell = teller();
    const outcome = await runDrill({
      plan,
      client: () => clients(target.access),
      proxy: target.view,
      twin: target.twin,
      simulated: target.simulated,
      stop,
      onProgress: (progress) => tell.line(progress.seconds, progressLine(progress)),
    });
    tell.end();
    report(outcome, target, options);
    if (outcome.interrupted) return EXIT.interrupted;
    return outcome.ok ? EXIT.done : EXIT.failed;
  } finally {
    await target.close();
  }
}

function planFor(name: DrillName, options: DrillOptions): Plan {
  const { minutes, count, concurrency, pauseMs } = options;
  if (options.of !== undefined || options.rttMs !== undefined) {
    throw new CliError(`--of and --rtt-ms are options of drill ab, not of ${name}`, EXIT.usage);
  }
  const given = [minutes, count, concurrency, pauseMs].some((value) => value !== undefined);
  if (name === 'warmup' && given) {
    throw new CliError('drill warmup asks three fixed questions; it takes no size', EXIT.usage);
  }
  return planOf(name, { minutes, count, concurrency, pauseMs });
}

async function clientsFor(name: DrillOptions['client']): Promise<(access: Access) => DrillClient> {
  if (name === 'raw') return createRawClient;
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
function teller(): { line(seconds: number, text: string): void; end(): void } {
  const { stderr } = process;
  let next = PLAIN_LINE_S;
  return {
    line: (seconds, text) => {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[2K${text.slice(0, stderr.columns - 1)}`);
      } else if (seconds >= next) {
        next = seconds + PLAIN_LINE_S;
        say(text);
      }
    },
    end: () => {
      next = PLAIN_LINE_S;
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
