/**
 * `demo`: an offline proof. Twin and proxy run in this process on free ports; a real client talks to
 * `api.anthropic.com` through real TLS interception; then client, ledger and upstreams must agree.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { loadConfig } from '../../config/load.ts';
import { readUsage } from '../../ledger/read.ts';
import type { UsageRecord } from '../../ledger/record.ts';
import { startTwin, type Twin } from '../../twin/index.ts';
import { type Arrived, joinSeen, judge, modelOf, type Seen } from '../demo/judge.ts';
import {
  ACCOUNT_CANARY,
  CLIENT_CANARY,
  type DemoClient,
  demoPlan,
  type Heard,
  ZAI_CANARY,
} from '../demo/plan.ts';
import { rawClient } from '../demo/raw-client.ts';
import { sdkClient } from '../demo/sdk-client.ts';
import { EXIT } from '../failure.ts';
import { print, printJson, table } from '../output.ts';
import { launchProxy, SILENT } from '../proxy-loader.ts';
import type { CommonOptions, JsonOption } from '../settings.ts';
import { twinUpstreams } from '../twin-upstreams.ts';

/** What came of the demo. */
interface Outcome {
  readonly client: string;
  readonly seen: readonly Seen[];
  readonly faults: readonly string[];
  readonly seconds: number;
  readonly ledger: string;
}

const CONFIGURATION = 'listen: { host: 127.0.0.1, port: 0 }\n';
const MS_PER_S = 1000;

/** Exit code 1 where anything is off. */
export async function demo(options: CommonOptions & JsonOption): Promise<number> {
  const work = mkdtempSync(join(tmpdir(), 'lanekeeper-demo-'));
  const home = options.home === undefined ? work : resolve(options.home);
  const twin = await startTwin({ zaiKey: ZAI_CANARY });
  try {
    const outcome = await prove(twin, work, home);
    if (options.json === true) printJson(summary(outcome));
    else print(describe(outcome));
    return outcome.faults.length === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await twin.close();
    if (home !== work) rmSync(work, { recursive: true, force: true });
  }
}

async function prove(twin: Twin, work: string, home: string): Promise<Outcome> {
  const started = performance.now();
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const ledger = join(logs, 'usage.jsonl');
  // A home that was given may hold records, and a configuration that is not the demo's.
  const former = (await recordsOf(ledger)).length;
  const configFile = join(work, 'demo.yaml');
  writeFileSync(configFile, CONFIGURATION);
  const config = await loadConfig({
    cwd: work,
    env: { FORCE_HAIKU_TO_ZAI: '1' },
    home,
    configFile,
    twin: twinUpstreams(twin),
  });
  const proxy = await launchProxy({ config, twin: true, log: SILENT });
  const heard: (Heard | null)[] = [];
  const faults: string[] = [];
  const ca = readFileSync(proxy.bundlePath, 'utf8');
  const client = (await sdkClient(proxy.url, ca)) ?? rawClient(proxy.url, ca);
  try {
    await askAll(client, heard, faults);
  } finally {
    await client.close();
    await proxy.drain(MS_PER_S);
  }
  const records = (await recordsOf(ledger)).slice(former);
  const arrived: Arrived = { anthropic: twin.anthropic.requests(), zai: twin.zai.requests() };
  const seen = joinSeen(demoPlan(), heard, records, arrived);
  faults.push(...judge(seen, records, arrived), ...secretsIn(logs));
  const seconds = (performance.now() - started) / MS_PER_S;
  return { client: client.name, seen, faults, seconds, ledger };
}

async function askAll(
  client: DemoClient,
  heard: (Heard | null)[],
  faults: string[],
): Promise<void> {
  for (const request of demoPlan()) {
    try {
      heard.push(await client.ask(request));
    } catch (error) {
      heard.push(null);
      faults.push(`${request.model}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function recordsOf(path: string): Promise<UsageRecord[]> {
  const records: UsageRecord[] = [];
  for await (const record of readUsage(path)) records.push(record);
  return records;
}

/** No credential may stand in anything that was written. */
function secretsIn(folder: string): string[] {
  const faults: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = readFileSync(join(folder, entry.name));
    for (const canary of [CLIENT_CANARY, ZAI_CANARY, ACCOUNT_CANARY]) {
      if (bytes.includes(canary)) faults.push(`${entry.name} holds a credential`);
    }
  }
  return faults;
}

function row({ request, heard, record, received }: Seen): string[] {
  const kind = request.stream ? 'stream' : 'one piece';
  const whole = record?.intact === true && heard?.whole === true;
  return [
    request.model,
    kind,
    record?.lane ?? '-',
    record?.decision ?? '-',
    record?.model_sent ?? '-',
    received === null ? '-' : modelOf(received),
    record?.model_served ?? '-',
    String(heard?.status ?? '-'),
    whole ? `yes${heard.events > 0 ? `, ${heard.events} events` : ''}` : 'NO',
  ];
}

const COLUMNS = [
  'model asked',
  'answer as',
  'lane',
  'decision',
  'model sent',
  'model received',
  'served by',
  'status',
  'whole',
] as const;

function describe({ client, seen, faults, seconds, ledger }: Outcome): string {
  const verdict =
    faults.length === 0
      ? [
          'every request took its lane, every answer arrived whole, and client, ledger and upstreams agree',
          'no credential of one lane was seen at the other, and none was written to a file',
        ]
      : faults.map((fault) => `OFF: ${fault}`);
  return [
    `${client}, through the proxy and real TLS, to the twin; ${seconds.toFixed(1)} s`,
    '',
    table([COLUMNS, ...seen.map(row)]),
    '',
    ...verdict,
    `evidence: ${ledger}`,
  ].join('\n');
}

function summary({ client, seen, faults, seconds, ledger }: Outcome) {
  const names = [
    'asked',
    'as',
    'lane',
    'decision',
    'sent',
    'received',
    'served',
    'status',
    'whole',
  ];
  const requests = seen.map((one) =>
    Object.fromEntries(row(one).map((cell, index) => [names[index], cell])),
  );
  return { ok: faults.length === 0, client, seconds, requests, faults, evidence: ledger };
}
