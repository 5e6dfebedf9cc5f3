/**
 * The proxy as users run it: `bin/lanekeeper start`, a process of its own in a home of its own.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { UsageRecord } from '../../src/ledger/record.ts';
import { startTwin, type TwinEndpoint } from '../../src/twin/index.ts';
import { type Cleanup, tempHome } from './home.ts';

/** The launcher of the checkout. */
export const LAUNCHER: string = fileURLToPath(new URL('../../bin/lanekeeper', import.meta.url));

const RECORDS_MS_MAX = 10_000;
const STOP_MS_MAX = 10_000;
const POLL_MS = 10;
const LISTENING = /^lanekeeper listening on (http:\/\/127\.0\.0\.1:(\d+))$/m;

/** Where the lanes lead. */
export interface Upstreams {
  readonly anthropic: Pick<TwinEndpoint, 'origin' | 'ca'>;
  readonly zai: Pick<TwinEndpoint, 'origin' | 'basePath'>;
}

export interface ProxyProcessOptions {
  /**
   * Upstreams of the test's own, named by a configuration file; default: the embedded twin. With
   * them there is a lane zai only where `env` has a `ZAI_API_KEY`.
   */
  readonly twin?: Upstreams;
  readonly env?: Readonly<Record<string, string>>;
  /** The twin runs in the test's own process, and outlives the proxy. */
  readonly twinApart?: boolean;
  /** Default: that of the checkout. */
  readonly launcher?: string;
  /** The section `listen` of the configuration file; with `twin` or `twinApart`. */
  readonly listen?: object;
  /** Further arguments of `start`. */
  readonly args?: readonly string[];
}

export interface ProxyProcess {
  readonly child: ChildProcess;
  readonly home: string;
  readonly url: string;
  readonly port: number;
  /** What a client puts into NODE_EXTRA_CA_CERTS. */
  readonly bundlePath: string;
  /** The ledger, once it holds at least so many records. */
  records(count: number): Promise<UsageRecord[]>;
  /** SIGTERM, and the end: everything it ever printed. */
  stop(): Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Starts one; it ends with the test. */
export async function startProxyProcess(
  context: Cleanup,
  options: ProxyProcessOptions = {},
): Promise<ProxyProcess> {
  let stop: ProxyProcess['stop'] | null = null;
  // Before the home: hooks run in this order, and a home goes when nobody writes to it any more.
  context.after(async () => {
    await stop?.();
  });
  const home = await tempHome(context);
  const apart = options.twinApart === true ? await startTwin() : undefined;
  if (apart !== undefined) context.after(() => apart.close());
  const upstreams = options.twin ?? apart;
  if (upstreams !== undefined) await writeConfiguration(home, upstreams, options.listen);
  const twin = upstreams === undefined ? ['--twin'] : [];
  const args = ['start', '--port', '0', '--home', home, ...twin, ...(options.args ?? [])];
  const child = spawn(options.launcher ?? LAUNCHER, args, {
    cwd: home,
    env: { HOME: home, PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  const listening = new Promise<RegExpExecArray>((resolve, reject) => {
    const hear = (text: string): void => {
      output += text;
      const match = LISTENING.exec(output);
      if (match !== null) resolve(match);
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.once('error', reject);
    ended.then(() => reject(new Error(`the proxy did not start: ${output}`)), reject);
  });
  stop = async () => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    child.kill('SIGTERM');
    await ended;
    clearTimeout(timer);
    return { code: child.exitCode, output };
  };
  const [, url = '', port = ''] = await listening;
  return {
    child,
    home,
    url,
    port: Number(port),
    bundlePath: path.join(home, 'ca', 'ca-cert.pem'),
    records: (count) => readRecords(home, count),
    stop,
  };
}

/** Reads the ledger of a home until it holds so many records. */
export async function readRecords(home: string, count: number): Promise<UsageRecord[]> {
  const file = path.join(home, 'logs', 'usage.jsonl');
  const deadline = performance.now() + RECORDS_MS_MAX;
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = text.split('\n').slice(0, -1);
    if (lines.length >= count) return lines.map((line) => JSON.parse(line) as UsageRecord);
    assert(performance.now() < deadline, `${lines.length} of ${count} records in the ledger`);
    await wait(POLL_MS);
  }
}

/** Both lanes, led to a twin that runs in the test's own process. */
async function writeConfiguration(home: string, twin: Upstreams, listen?: object): Promise<void> {
  await writeFile(path.join(home, 'twin-ca.pem'), twin.anthropic.ca);
  const lanes = {
    anthropic: { upstream: twin.anthropic.origin, credentials: 'passthrough', ca: 'twin-ca.pem' },
    zai: {
      upstream: `${twin.zai.origin}${twin.zai.basePath}`,
      credentials: { env: 'ZAI_API_KEY' },
      ca: 'twin-ca.pem',
    },
  };
  // YAML is a superset of JSON.
  await writeFile(path.join(home, 'lanekeeper.yaml'), JSON.stringify({ listen, lanes }));
}
