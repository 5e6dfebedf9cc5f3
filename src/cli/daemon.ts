/**
 * A proxy in the background, for `run`: a process of its own session that outlives the terminal's
 * signals and ends with its last lease.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

import { isRunning } from '../admin/client.ts';
import { DAEMON_START_MS_MAX, LOG_EXCERPT_BYTES_MAX } from '../core/limits.ts';
import { CliError } from './failure.ts';
import { spawnGuarded } from './guarded-process.ts';
import { ENTRY, SUPERVISOR_FLAGS } from './package-info.ts';
import type { CommonOptions } from './settings.ts';

const POLL_MS = 20;

/** How starting one ended. */
export type DaemonStart =
  /** It accepts connections. */
  | { readonly ready: true }
  /** It ended first; another one may have been quicker. */
  | { readonly ready: false; readonly failure: CliError };

/** Starts a leased proxy for a home. Resolves once it accepts connections or has ended. */
export async function startDaemon(
  home: string,
  options: CommonOptions & { readonly twin?: boolean },
): Promise<DaemonStart> {
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const logPath = join(logs, 'lanekeeper.log');
  const log = openSync(logPath, 'a+', 0o600);
  try {
    const offset = fstatSync(log).size;
    const child = spawnGuarded([...SUPERVISOR_FLAGS, ENTRY, ...startArguments(home, options)], {
      detached: true,
      stdio: ['ignore', 'pipe', log],
    });
    const code = await readyOrExit(child);
    if (code === null) {
      child.stdout?.destroy();
      child.unref();
      return { ready: true };
    }
    const said = readFrom(log, offset).trim();
    const message = said === '' ? `the proxy did not start; ${logPath} may say why` : said;
    return { ready: false, failure: new CliError(message.replace(/^lanekeeper: /, ''), code) };
  } finally {
    closeSync(log);
  }
}

/** Waits until no proxy runs for the home. Returns false where one still does after `ms`. */
export async function waitUntilGone(home: string, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (await isRunning(home)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}

function startArguments(
  home: string,
  options: CommonOptions & { readonly twin?: boolean },
): string[] {
  const config = options.config === undefined ? [] : ['--config', options.config];
  const twin = options.twin === true ? ['--twin'] : [];
  return ['start', '--leased', '--home', home, ...config, ...twin];
}

/** Null once the first line came (it listens), else the exit code. */
function readyOrExit(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve(1);
    }, DAEMON_START_MS_MAX);
    const settle = (code: number | null) => {
      clearTimeout(timer);
      resolve(code);
    };
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('exit', (code) => settle(code ?? 1));
    child.stdout?.on('error', () => undefined);
    child.stdout?.once('data', () => settle(null));
  });
}

/** What was added to the log since, its beginning where it is long. */
function readFrom(log: number, offset: number): string {
  const bytes = Buffer.alloc(LOG_EXCERPT_BYTES_MAX);
  const length = readSync(log, bytes, 0, bytes.length, offset);
  return bytes.toString('utf8', 0, length);
}
