/**
 * `run -- CMD…`: runs a command with the environment set for it alone. A proxy is started where none
 * runs, and ends with the last command that uses it.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

import { holdLease, readStatus } from '../../admin/client.ts';
import { ControlError, type ServedStatus } from '../../admin/types.ts';
import type { TwinUpstream, TwinUpstreams } from '../../config/load.ts';
import type { Config } from '../../config/types.ts';
import { DAEMON_END_MS_MAX } from '../../core/limits.ts';
import { combineTrust } from '../../pki/trust.ts';
import { startDaemon, waitUntilGone } from '../daemon.ts';
import { clientEnvironment, proxyUrl, withChanges } from '../environment.ts';
import { CliError } from '../failure.ts';
import { say } from '../output.ts';
import { type CommonOptions, configOf } from '../settings.ts';
import { authorityDirectory } from '../trust.ts';

interface RunOptions extends CommonOptions {
  readonly twin?: boolean;
}

/** A proxy that stays until the lease is given back. */
interface LeasedProxy {
  readonly status: ServedStatus;
  readonly release: () => void;
}

/** The proxy knows its twin's upstreams; here only the home, the token and the checks are needed. */
const ANY_UPSTREAM: TwinUpstream = { host: '127.0.0.1', port: 1, ca: '', basePath: '' };
const ANY_TWIN: TwinUpstreams = { anthropic: ANY_UPSTREAM, zai: ANY_UPSTREAM, zaiKey: 'twin' };

/** Another `run` may be starting or ending the proxy at the same moment. */
const LEASE_TRIES_MAX = 5;
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_EXECUTABLE = 126;
const EXIT_SIGNAL_BASE = 128;
/** With a terminal these reach the command from the terminal itself. */
const TERMINAL_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
const OTHER_SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR2'];

/** Runs the command and returns its exit code, 128 + n where signal n ended it. */
export async function run(options: RunOptions, command: readonly string[]): Promise<number> {
  // As the proxy itself will read it: with the twin no key of the user's is needed.
  const config = await configOf(options, options.twin === true ? { twin: ANY_TWIN } : {});
  const proxy = await useProxy(config.home, options);
  try {
    checkTwin(proxy.status, options);
    const environment = await environmentFor(config, proxy.status);
    return await runCommand(command, environment);
  } finally {
    await giveBack(config.home, proxy);
  }
}

/** The proxy of the home, started where none runs, with a lease on it. */
async function useProxy(home: string, options: RunOptions): Promise<LeasedProxy> {
  let failure = new CliError(`the proxy of ${home} ends again and again; its log says more`);
  for (let tries = 0; tries < LEASE_TRIES_MAX; tries += 1) {
    const leased = await leaseRunning(home);
    if (leased !== null) return leased;
    const start = await startDaemon(home, options);
    if (start.ready) continue;
    failure = start.failure;
    // It may have found the proxy that another `run` started meanwhile.
    const other = await leaseRunning(home);
    if (other !== null) return other;
    break;
  }
  throw failure;
}

/** A lease on the running proxy, null where none runs or the one that does is about to end. */
async function leaseRunning(home: string): Promise<LeasedProxy | null> {
  try {
    const release = await holdLease(home);
    const status = await readStatus(home);
    if (!status.draining) return { status, release };
    release();
    if (!(await waitUntilGone(home, DAEMON_END_MS_MAX))) {
      throw new CliError(`the proxy of ${home} is draining; wait until it has ended`);
    }
    return null;
  } catch (error) {
    if (error instanceof ControlError && GONE.has(error.code)) return null;
    throw error;
  }
}

/** Refusals of a proxy that is not there, or no longer. */
const GONE: ReadonlySet<string> = new Set(['not_running', 'unreachable', 'bad_answer', 'draining']);

function checkTwin(status: ServedStatus, options: RunOptions): void {
  if (options.twin === true && !status.twin) {
    throw new CliError(
      `--twin: the proxy that runs for ${status.home} uses the real upstreams; end it with lanekeeper drain, or choose another --home`,
    );
  }
  if (options.twin !== true && status.twin) {
    say('the proxy that runs answers from the twin, not from the real upstreams');
  }
}

async function environmentFor(
  config: Config,
  status: ServedStatus,
): Promise<Record<string, string>> {
  const own = process.env['NODE_EXTRA_CA_CERTS'];
  const changes = clientEnvironment({
    base: process.env,
    url: proxyUrl(status.listen, config.listen.token),
    trust: await combineTrust(authorityDirectory(config.home), status.ca.bundle, own),
    intercept: status.ca.hosts,
  });
  for (const note of changes.notes) say(note);
  return withChanges(process.env, changes);
}

function runCommand(
  command: readonly string[],
  environment: Record<string, string>,
): Promise<number> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: environment });
    const forward = (signal: NodeJS.Signals) => void child.kill(signal);
    const ignore = () => undefined;
    for (const signal of OTHER_SIGNALS) process.on(signal, forward);
    for (const signal of TERMINAL_SIGNALS) process.on(signal, hasTerminal() ? ignore : forward);
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(refuse(program, 'not found', EXIT_NOT_FOUND));
      else if (error.code === 'EACCES') {
        resolve(refuse(program, 'may not be executed', EXIT_NOT_EXECUTABLE));
      } else reject(error);
    });
    child.once('exit', (code, signal) => {
      resolve(code ?? EXIT_SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function refuse(program: string, why: string, code: number): number {
  say(`${program}: ${why}`);
  return code;
}

function hasTerminal(): boolean {
  return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
}

/** Waits for a proxy that ends with this lease, so that nothing is left when the command is over. */
async function giveBack(home: string, proxy: LeasedProxy): Promise<void> {
  const isLast = proxy.status.leased === true && (await isOnlyLease(home));
  proxy.release();
  if (isLast) await waitUntilGone(home, DAEMON_END_MS_MAX);
}

async function isOnlyLease(home: string): Promise<boolean> {
  try {
    return (await readStatus(home)).leases === 1;
  } catch {
    return false;
  }
}
