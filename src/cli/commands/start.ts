/** `start`: the proxy in the foreground, until a signal, `drain` or its last lease ends it. */
import { readStatus } from '../../admin/client.ts';
import type { Config } from '../../config/types.ts';
import { DRAIN_MS_MAX, LEASE_FIRST_MS_MAX } from '../../core/limits.ts';
import type { Twin } from '../../twin/types.ts';
import { CliError, describeFailure, EXIT } from '../failure.ts';
import { print, say } from '../output.ts';
import { isPortTaken, launchProxy, type RunningProxy } from '../proxy-loader.ts';
import { type CommonOptions, configOf, type Overrides } from '../settings.ts';
import { twinUpstreams } from '../twin-upstreams.ts';

interface StartOptions extends CommonOptions {
  readonly port?: number;
  readonly host?: string;
  readonly workers: number;
  readonly twin?: boolean;
  /** Started by `run`: ends with its last lease, and takes another port where its own is taken. */
  readonly leased?: boolean;
}

/** Runs the proxy. Resolves when it has ended. */
export async function start(options: StartOptions): Promise<number> {
  if (options.workers !== 1) {
    throw new CliError(
      `--workers ${options.workers}: this version runs in one process; leave --workers out`,
      EXIT.usage,
    );
  }
  const twin = options.twin === true ? await openTwin() : null;
  try {
    return await serve(options, twin);
  } finally {
    await twin?.close();
  }
}

async function openTwin(): Promise<Twin> {
  const { startTwin } = await import('../../twin/index.ts');
  return startTwin();
}

async function serve(options: StartOptions, twin: Twin | null): Promise<number> {
  const reloadConfig = (more: Overrides = {}): Promise<Config> => {
    const overrides: Overrides = {
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.port === undefined ? {} : { port: options.port }),
      ...more,
    };
    return configOf(options, {
      overrides,
      ...(twin === null ? {} : { twin: twinUpstreams(twin) }),
    });
  };
  const running = await launch(options, await reloadConfig(), reloadConfig);
  const ending = obeySignals(running);
  if (options.leased === true) endUnleased(running);
  print(`lanekeeper listening on ${running.url}`);
  await running.closed;
  return ending.code;
}

async function launch(
  options: StartOptions,
  config: Config,
  reloadConfig: (more?: Overrides) => Promise<Config>,
): Promise<RunningProxy> {
  const common = {
    twin: options.twin === true,
    leased: options.leased === true,
    reloadConfig: () => reloadConfig(),
  };
  try {
    return await launchProxy({ config, ...common });
  } catch (error) {
    if (options.leased !== true || !isPortTaken(error)) throw error;
    return launchProxy({ config: await reloadConfig({ port: 0 }), ...common });
  }
}

/** SIGTERM and SIGINT drain, the second of them ends at once; SIGHUP reloads. */
function obeySignals(running: RunningProxy): { readonly code: number } {
  const ending: { code: number } = { code: EXIT.done };
  let draining = false;
  const end = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT' || draining) ending.code = EXIT.interrupted;
    if (draining) {
      void running.close();
      return;
    }
    draining = true;
    say('draining: open exchanges finish; another signal ends them at once');
    void running.drain(DRAIN_MS_MAX);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', () => void reload(running));
  return ending;
}

async function reload(running: RunningProxy): Promise<void> {
  try {
    const { changed, notes } = await running.control.reload();
    say(changed.length === 0 ? 'reloaded: nothing changed' : `reloaded: ${changed.join(', ')}`);
    for (const note of notes) say(note);
  } catch (error) {
    say(`not reloaded, the former configuration stays: ${describeFailure(error)}`);
  }
}

/** A `run` that died between starting the proxy and taking its lease must not leave it behind. */
function endUnleased(running: RunningProxy): void {
  const timer = setTimeout(async () => {
    try {
      const { leases } = await readStatus(running.control.status().home);
      if (leases === 0) await running.drain(DRAIN_MS_MAX);
    } catch {
      // A control socket that does not answer has no lease either.
      await running.close();
    }
  }, LEASE_FIRST_MS_MAX);
  timer.unref();
}
