/**
 * `verify isolation`: whose credential goes where. Canaries of every kind through some hundred exchanges
 * of a proxy of its own with the twin behind it; then a search of all that each upstream received, and
 * of all that was written or told.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { loadConfig } from '../../config/load.ts';
import { writtenFiles } from '../../session/places.ts';
import { NO_FIGURES, unmarkedPhase } from '../../session/record.ts';
import { appendPhase, readSession } from '../../session/record-file.ts';
import { searchFiles } from '../../session/secrets/search.ts';
import { startTwin, type Twin } from '../../twin/index.ts';
import { print, printJson, table } from '../output.ts';
import { launchProxy, type RunningProxy } from '../proxy-loader.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';
import { twinUpstreams } from '../twin-upstreams.ts';
import { type Canaries, canaryRequests, mintCanaries } from './canaries.ts';
import { finderOf, type Isolation, judgeIsolation } from './judge.ts';
import { sendAll } from './send.ts';

/** What came of it. */
interface Outcome extends Isolation {
  readonly exchanges: number;
}

const ROUNDS = 2;
const DRAIN_MS = 2_000;
const CONFIGURATION = 'listen: { host: 127.0.0.1, port: 0 }\n';

/** True where nothing was found. The result is kept as a phase where a session is under way, or a home was named. */
export async function verifyIsolation(options: CommonOptions & JsonOption): Promise<boolean> {
  const start = new Date();
  const outcome = await run();
  const ok = outcome.findings.length === 0;
  const home = homeOf(options);
  if (options.home !== undefined || (await readSession(home)) !== null) {
    await keep(home, start, outcome);
  }
  if (options.json === true) printJson({ ok, ...outcome });
  else print(describe(outcome));
  return ok;
}

async function run(): Promise<Outcome> {
  const canaries = mintCanaries();
  const home = mkdtempSync(join(tmpdir(), 'lanekeeper-isolation-'));
  // The first request with the key is refused, and sent again with the key in the other field.
  const twin = await startTwin({
    zaiKey: canaries.zaiKey,
    zaiCountTokens: false,
    zaiAccepts: 'authorization',
  });
  const told: string[] = [];
  try {
    const proxy = await launch(home, twin, canaries, told);
    let exchanges = 0;
    try {
      const ca = readFileSync(proxy.bundlePath, 'utf8');
      const requests = Array.from({ length: ROUNDS }, () => canaryRequests(canaries)).flat();
      exchanges = await sendAll({ proxy: proxy.url, token: canaries.proxyToken, ca, requests });
      told.push(JSON.stringify(proxy.control.status()), await proxy.control.metrics());
    } finally {
      await proxy.drain(DRAIN_MS);
    }
    return await search(home, twin, canaries, { told, exchanges });
  } finally {
    await twin.close();
    rmSync(home, { recursive: true, force: true });
  }
}

async function launch(
  home: string,
  twin: Twin,
  canaries: Canaries,
  told: string[],
): Promise<RunningProxy> {
  const configFile = join(home, 'isolation.yaml');
  writeFileSync(configFile, CONFIGURATION);
  const config = await loadConfig({
    cwd: home,
    env: {
      LANEKEEPER_TOKEN: canaries.proxyToken,
      FORCE_HAIKU_TO_ZAI: '1',
      MITM_ENABLE_BACKOFF: '1',
    },
    home,
    configFile,
    twin: twinUpstreams(twin),
  });
  const log = {
    warn: (event: string, facts: object) => void told.push(`${event} ${JSON.stringify(facts)}`),
  };
  return launchProxy({ config, twin: true, log });
}

async function search(
  home: string,
  twin: Twin,
  canaries: Canaries,
  { told, exchanges }: { readonly told: readonly string[]; readonly exchanges: number },
): Promise<Outcome> {
  const files = await searchFiles(finderOf(canaries), await writtenFiles(home));
  const received = { anthropic: twin.anthropic.requests(), zai: twin.zai.requests() };
  const judged = judgeIsolation({ received, files, told }, canaries);
  return { exchanges, ...judged };
}

async function keep(home: string, start: Date, outcome: Outcome): Promise<void> {
  const { searched, leaks, findings, exchanges } = outcome;
  const met = findings.length === 0;
  const seconds = (Date.now() - start.getTime()) / 1_000;
  await appendPhase(home, {
    // Its records lie in a home of their own.
    ...unmarkedPhase('isolation', start, met),
    command: 'lanekeeper verify isolation',
    figures: { ...NO_FIGURES, seconds, exchanges },
    isolation: { searched: { anthropic: searched.anthropic, zai: searched.zai }, leaks },
    checks: [
      { name: 'isolation', met, detail: findings.join('; ') || 'no canary in the wrong place' },
    ],
  });
}

function describe({ exchanges, searched, findings }: Outcome): string {
  const rows = [
    ['requests at anthropic', String(searched.anthropic)],
    ['requests at zai', String(searched.zai)],
    ['files', String(searched.files)],
    ['logs, status and metrics', String(searched.answers)],
  ];
  const verdict =
    findings.length === 0
      ? ['every canary where it belongs, and none anywhere else']
      : findings.map((finding) => `FOUND: ${finding}`);
  return [`${exchanges} exchanges; searched:`, table(rows), '', ...verdict].join('\n');
}
