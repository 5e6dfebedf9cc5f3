/**
 * `start`: the proxy in the foreground, until a signal, `drain` or its last lease ends it. This process
 * supervises; the work is done by processes of its own (`../worker-main.ts`).
 */
import { ControlError } from '../../admin/types.ts';
import { isOfAnotherUser } from '../../config/ownership.ts';
import { DRAIN_MS_MAX, LEASE_FIRST_MS_MAX } from '../../core/limits.ts';
import { Fleet } from '../../fleet.ts';
import type { Twin } from '../../twin/types.ts';
import { checkLedger } from '../doctor/machine.ts';
import { CliError, describeFailure, EXIT } from '../failure.ts';
import { print, say } from '../output.ts';
import { hasChangedSince } from '../program-files.ts';
import { type CommonOptions, homeOf } from '../settings.ts';
import { twinUpstreams } from '../twin-upstreams.ts';
import type { WorkerGiven } from '../worker-main.ts';
import { spawnWorker } from '../worker-spawn.ts';

export interface StartOptions extends CommonOptions {
  readonly port?: number;
  readonly host?: string;
  readonly workers: number;
  readonly twin?: boolean;
  /** Started by `run`: ends with its last lease, and takes another port where its own is taken. */
  readonly leased?: boolean;
}

/** Runs the proxy. Resolves when it has ended. */
export async function start(options: StartOptions): Promise<number> {
  const home = homeOf(options);
  assertLedger(home);
  // Nobody may be left to read where it listens: it serves all the same.
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  const twin = options.twin === true ? await openTwin() : null;
  try {
    return await supervise(options, home, twin);
  } finally {
    await twin?.close();
  }
}

/**
 * Who starts a proxy relies on its ledger. Where it can not be written from the start, there is none; what
 * befalls it later is said, and the proxy goes on.
 *
 * @throws CliError
 */
function assertLedger(home: string): void {
  // That one is refused with the configuration, and nothing is to be put into it before.
  if (isOfAnotherUser(home)) return;
  const { level, message, mend } = checkLedger(home);
  if (level === 'error') throw new CliError(`not started: ${message}\n  ${mend}`);
}

async function openTwin(): Promise<Twin> {
  const { startTwin } = await import('../../twin/index.ts');
  return startTwin();
}

async function supervise(options: StartOptions, home: string, twin: Twin | null): Promise<number> {
  const { config, host, port } = options;
  const given: WorkerGiven = {
    home: options.home ?? null,
    config: config ?? null,
    host: host ?? null,
    port: port ?? null,
    twin: twin === null ? null : twinUpstreams(twin),
  };
  const fleet = new Fleet({
    home,
    workers: options.workers,
    spawn: spawnWorker,
    given,
    leased: options.leased === true,
    say,
  });
  const ending = obeySignals(fleet);
  await fleet.start();
  if (options.leased === true) endUnleased(fleet);
  print(`lanekeeper listening on ${fleet.url}`);
  await fleet.closed;
  return ending.code;
}

/** SIGTERM and SIGINT drain, the second of them ends at once; SIGHUP reloads. */
function obeySignals(fleet: Fleet): { readonly code: number } {
  const ending: { code: number } = { code: EXIT.done };
  let draining = false;
  const end = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT' || draining) ending.code = EXIT.interrupted;
    if (!draining) say('draining: open exchanges finish; another signal ends them at once');
    fleet.drain(draining ? 0 : DRAIN_MS_MAX);
    draining = true;
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', renewer(fleet));
  return ending;
}

/** Reads the configuration anew; where the program itself has changed, in new processes. */
function renewer(fleet: Fleet): () => void {
  let loadedMs = Date.now();
  return () => {
    const nowMs = Date.now();
    void renew(fleet, loadedMs).then((restarted) => {
      if (restarted) loadedMs = nowMs;
    });
  };
}

/** True where the workers are new ones. */
async function renew(fleet: Fleet, loadedMs: number): Promise<boolean> {
  try {
    if (await hasChangedSince(loadedMs)) {
      const { workers } = await fleet.restart();
      say(
        `the program has changed: restarted, ${workers.length} new ${workers.length === 1 ? 'process serves' : 'processes serve'}`,
      );
      return true;
    }
    const { changed, notes } = await fleet.reload();
    say(changed.length === 0 ? 'reloaded: nothing changed' : `reloaded: ${changed.join(', ')}`);
    for (const note of notes) say(note);
  } catch (error) {
    const what = error instanceof ControlError ? error.message : describeFailure(error);
    say(`not reloaded, the former configuration stays: ${what}`);
  }
  return false;
}

/** A `run` that died between starting the proxy and taking its lease must not leave it behind. */
function endUnleased(fleet: Fleet): void {
  const timer = setTimeout(() => {
    if (fleet.leases === 0) fleet.drain();
  }, LEASE_FIRST_MS_MAX);
  timer.unref();
}
