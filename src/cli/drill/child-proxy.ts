/**
 * A proxy of the drill's own: a process of its own, so that its memory and its sockets are its alone,
 * with a configuration that leads to the twin in this process. It ends with the drill, however that
 * ends, since it is leased to it.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { holdLease } from '../../admin/client.ts';
import { findConfigFile, readConfigFile } from '../../config/file.ts';
import type { Config } from '../../config/types.ts';
import { DAEMON_START_MS_MAX, DRILL_SETTLE_MS_MAX } from '../../core/limits.ts';
import { drillConfiguration } from '../../drills/configuration.ts';
import type { Twin } from '../../twin/types.ts';
import { CliError } from '../failure.ts';
import { spawnGuarded } from '../guarded-process.ts';
import { ENTRY, SUPERVISOR_FLAGS } from '../package-info.ts';

const LISTENING = /^lanekeeper listening on (http:\/\/\S+)$/m;
const CA_FILE = 'twin-ca.pem';
/** Of the caller's environment only what a process needs, and the switches that a drill may vary. */
const PASSED_ON = [
  'PATH',
  'HOME',
  'MITM_FORCE_H1',
  'MITM_HTTP2',
  'MITM_ENABLE_BACKOFF',
  'ZAI_HEADER_MODE',
  'ZAI_MODEL',
] as const;

export interface ChildProxy {
  readonly url: URL;
  readonly pid: number;
  /** Resolves when the process that was started has ended; processes of its own may live on. */
  readonly exited: Promise<unknown>;
  /** Whether it speaks HTTP/2 to its upstreams, as its configuration has it. */
  readonly http2: Config['http2'];
  /** Ends it; all of its ledger is written then. Never rejects; may be called again. */
  stop(): Promise<void>;
}

/** Where a proxy of the drill's own lives. */
export interface ChildPlace {
  readonly home: string;
  /** An empty folder for its configuration. */
  readonly work: string;
  /** The user's configuration file; its lanes are led to the twin. */
  readonly configFile: string | undefined;
  /** Default: any that is free. */
  readonly port?: number;
  /** Processes that serve. Default 1. */
  readonly workers?: number;
  /** Switches that go before those of the caller's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts it, and takes the lease.
 *
 * @throws CliError where it does not start; ConfigError where the user's file is bad
 */
export async function startChildProxy(twin: Twin, place: ChildPlace): Promise<ChildProxy> {
  const { home, work } = place;
  const { variables, http2 } = await writeConfiguration(twin, place);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const argv = [ENTRY, ...startArguments(place)];
  const child = spawnGuarded([...SUPERVISOR_FLAGS, ...argv], {
    // A session of its own: the terminal's signals are for the drill, which ends it in order.
    detached: true,
    cwd: work,
    env: { ...environment(), ...variables, FORCE_HAIKU_TO_ZAI: '1', ...place.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit').catch(() => undefined);
  const ended = once(child, 'close').catch(() => undefined);
  try {
    const url = await listening(child);
    const giveBack = await holdLease(home);
    return {
      url: new URL(url),
      pid: child.pid ?? 0,
      exited,
      http2,
      stop: async () => {
        giveBack();
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), DRILL_SETTLE_MS_MAX);
        await ended;
        clearTimeout(timer);
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw error;
  }
}

function startArguments({ home, work, port, workers }: ChildPlace): string[] {
  return [
    ...['start', '--leased', '--home', home, '--config', join(work, 'drill.yaml')],
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(workers === undefined ? [] : ['--workers', String(workers)]),
  ];
}

/** Returns the variables that the configuration needs, and what it comes to for HTTP/2. */
async function writeConfiguration(twin: Twin, place: ChildPlace) {
  const { work, configFile } = place;
  const named =
    configFile === undefined ? null : findConfigFile(configFile, process.cwd(), place.home);
  const own = named === null ? null : (await readConfigFile(named)).data;
  const { text, env } = drillConfiguration(twin, own, CA_FILE);
  writeFileSync(join(work, CA_FILE), twin.anthropic.ca);
  writeFileSync(join(work, 'drill.yaml'), text);
  const { MITM_FORCE_H1: never, MITM_HTTP2: always } = process.env;
  const http2: Config['http2'] =
    never === '1' ? 'never' : always === '1' ? 'always' : (own?.http2 ?? 'follow');
  return { variables: env, http2 };
}

function environment(): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) passed[name] = value;
  }
  return passed;
}

/** The URL that it says it listens on. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const refuse = (message: string): void => {
      clearTimeout(timer);
      reject(new CliError(message));
    };
    const timer = setTimeout(() => refuse('the proxy did not start in time'), DAEMON_START_MS_MAX);
    const hear = (text: string): void => {
      // Once it listens, its log is read on so that it never blocks, and forgotten.
      if (said.length < MESSAGE_CHARS_MAX) said += text;
      const url = LISTENING.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.setEncoding('utf8').on('data', hear);
    child.stderr?.setEncoding('utf8').on('data', hear);
    child.once('error', (error) => refuse(error.message));
    child.once('close', () =>
      refuse(said.trim().replace(/^lanekeeper: /, '') || 'it did not start'),
    );
  });
}

const MESSAGE_CHARS_MAX = 16_384;
