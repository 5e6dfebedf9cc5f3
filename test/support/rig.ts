/**
 * The whole in one process: a twin, and a proxy whose lanes lead to it, in a home of its own. Real
 * sockets and TLS throughout; nothing is faked but the two upstreams.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { twinUpstreams } from '../../src/cli/twin-upstreams.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/types.ts';
import type { AnomalyRecord, UsageRecord } from '../../src/ledger/record.ts';
import { type RunningProxy, startProxy } from '../../src/proxy.ts';
import { startTwin, type Twin, type TwinOptions } from '../../src/twin/index.ts';
import { type Cleanup, tempHome } from './home.ts';

export interface RigOptions {
  /** The proxy's environment; nothing of the machine's is used. */
  readonly env?: Readonly<Record<string, string>>;
  readonly twin?: TwinOptions;
  /** Changes the configuration before the proxy starts. */
  readonly config?: (config: Config) => Config;
}

export interface Rig {
  readonly twin: Twin;
  readonly proxy: RunningProxy;
  readonly home: string;
  /** PEM of the proxy's trust bundle. */
  readonly ca: string;
  /** The ledger, once at least `count` exchanges are in it and none is open. */
  records(count: number): Promise<UsageRecord[]>;
  anomalies(): Promise<AnomalyRecord[]>;
  /** Every warning of the operational log. */
  readonly warnings: { readonly event: string; readonly facts: object }[];
}

/** How long a test waits for the ledger before it says that a record is missing. */
const RECORDS_MS_MAX = 10_000;

/** Starts a twin and a proxy before it; both end with the test. */
export async function startRig(context: Cleanup, options: RigOptions = {}): Promise<Rig> {
  const parts: { close(): Promise<void> }[] = [];
  // Hooks run in the order they were given: a home goes once nobody writes to it any more.
  context.after(async () => {
    for (const part of parts.toReversed()) await part.close();
  });
  const home = await tempHome(context);
  const twin = await startTwin(options.twin);
  parts.push(twin);
  const reloadConfig = async (): Promise<Config> => {
    const config = await loadConfig({
      cwd: home,
      env: { HOME: home, ...options.env },
      home,
      overrides: { port: 0 },
      twin: twinUpstreams(twin),
    });
    return options.config?.(config) ?? config;
  };
  const warnings: { event: string; facts: object }[] = [];
  const proxy = await startProxy({
    config: await reloadConfig(),
    reloadConfig,
    twin: true,
    version: '0.0.0-test',
    log: { warn: (event, facts) => void warnings.push({ event, facts }) },
  });
  parts.push(proxy);
  return {
    twin,
    proxy,
    home,
    ca: readFileSync(proxy.bundlePath, 'utf8'),
    warnings,
    records: (count) => waitForRecords(proxy, join(home, 'logs', 'usage.jsonl'), count),
    async anomalies() {
      await settled(proxy);
      return linesOf<AnomalyRecord>(join(home, 'logs', 'anomalies.jsonl'));
    },
  };
}

async function waitForRecords(
  proxy: RunningProxy,
  file: string,
  count: number,
): Promise<UsageRecord[]> {
  const until = Date.now() + RECORDS_MS_MAX;
  for (;;) {
    await settled(proxy);
    const records = linesOf<UsageRecord>(file);
    if (records.length >= count && proxy.control.status().exchanges.open === 0) return records;
    if (Date.now() > until) throw new Error(`${records.length} of ${count} records in the ledger`);
  }
}

/** Gives the ledger's writer a turn. */
function settled(proxy: RunningProxy): Promise<void> {
  const { written } = proxy.control.status().ledger;
  return new Promise((resolve) => setTimeout(resolve, written === 0 ? 20 : 10));
}

function linesOf<T>(file: string): T[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as T);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
