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
import { NO_FIGURES } from '../../session/record.ts';
import { appendPhase, readSession } from '../../session/record-file.ts';
import { createFinder, type Finder } from '../../session/secrets/finder.ts';
import { searchFiles } from '../../session/secrets/search.ts';
import { type ReceivedRequest, startTwin, type Twin } from '../../twin/index.ts';
import { print, printJson, table } from '../output.ts';
import { launchProxy, type RunningProxy } from '../proxy-loader.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';
import { twinUpstreams } from '../twin-upstreams.ts';
import {
  type Canaries,
  type CanaryName,
  CLIENT_ONLY,
  canaryRequests,
  mintCanaries,
} from './canaries.ts';
import { sendAll } from './send.ts';

/** What came of it. */
interface Outcome {
  readonly exchanges: number;
  /** What was searched, and how much of it. */
  readonly searched: Readonly<Record<'anthropic' | 'zai' | 'files' | 'answers', number>>;
  /** Requests that held what is not theirs. */
  readonly leaks: number;
  /** What is wrong, in words; a canary is named, never shown. */
  readonly findings: readonly string[];
}

const ROUNDS = 2;
const DRAIN_MS = 2_000;
const CONFIGURATION = 'listen: { host: 127.0.0.1, port: 0 }\n';
const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set(['x-api-key', 'authorization']);

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
  const findings: string[] = [];
  const atZai = twin.zai.requests();
  const atAnthropic = twin.anthropic.requests();
  const foreign = {
    zai: finderOf(canaries, [...CLIENT_ONLY, 'proxyToken']),
    anthropic: finderOf(canaries, ['zaiKey', 'proxyToken']),
  };
  let leaks = 0;
  for (const [lane, requests] of [
    ['zai', atZai],
    ['anthropic', atAnthropic],
  ] as const) {
    for (const request of requests) {
      const found = foreign[lane].in(textOf(request)).filter((name) => name in canaries);
      if (found.length === 0) continue;
      leaks += 1;
      findings.push(
        `${found.join(', ')} in a request at ${lane} (${request.method} ${pathOf(request)})`,
      );
    }
  }
  findings.push(...keyFindings(atZai, canaries), ...sightFindings(atZai, atAnthropic, canaries));
  const all = finderOf(canaries, Object.keys(canaries) as CanaryName[]);
  const files = await searchFiles(all, await writtenFiles(home));
  findings.push(...files.findings.map(({ file, line, what }) => `${file}:${line} holds ${what}`));
  for (const text of told) {
    for (const name of all.in(latin1(text))) findings.push(`${name} in what the proxy tells`);
  }
  const searched = {
    anthropic: atAnthropic.length,
    zai: atZai.length,
    files: files.files,
    answers: told.length,
  };
  return { exchanges, searched, leaks, findings };
}

/** The key, and nothing else, in exactly one field of its own. */
function keyFindings(atZai: readonly ReceivedRequest[], { zaiKey }: Canaries): string[] {
  const right = new Set([zaiKey, `Bearer ${zaiKey}`]);
  const wrong = atZai.filter(({ rawHeaders }) => {
    const own = rawHeaders.filter(([name]) => CREDENTIAL_FIELDS.has(name.toLowerCase()));
    const elsewhere = rawHeaders
      .filter((field) => !own.includes(field))
      .flat()
      .join('\n');
    return own.length !== 1 || !right.has(own[0]?.[1] ?? '') || elsewhere.includes(zaiKey);
  });
  return wrong.length === 0
    ? []
    : [`${wrong.length} requests at zai without the key in its one field`];
}

/** A search that finds nothing shows nothing, unless it finds what must be there. */
function sightFindings(
  atZai: readonly ReceivedRequest[],
  atAnthropic: readonly ReceivedRequest[],
  canaries: Canaries,
): string[] {
  const missing = (
    requests: readonly ReceivedRequest[],
    names: readonly CanaryName[],
    lane: string,
  ) => {
    const found = finderOf(canaries, names).in(requests.map(textOf).join('\n'));
    return names.flatMap((name) =>
      found.includes(name) ? [] : [`${name} did not arrive at ${lane}, where it belongs`],
    );
  };
  return [
    ...missing(atZai, ['haikuPrompt', 'zaiKey'], 'zai'),
    ...missing(atAnthropic, CLIENT_ONLY, 'anthropic'),
  ];
}

function finderOf(canaries: Canaries, names: readonly CanaryName[]): Finder {
  return createFinder(names.map((name) => ({ name, value: canaries[name] })));
}

/** A request as its upstream got it, as one text of bytes. */
function textOf({ method, path, rawHeaders, body }: ReceivedRequest): string {
  const fields = rawHeaders.map(([name, value]) => `${name}: ${value}`);
  return [...[`${method} ${path}`, ...fields].map(latin1), body.toString('latin1')].join('\n');
}

function pathOf({ path }: ReceivedRequest): string {
  return path.replace(/\?.*/, '');
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

async function keep(home: string, start: Date, outcome: Outcome): Promise<void> {
  const { searched, leaks, findings, exchanges } = outcome;
  const end = new Date();
  const met = findings.length === 0;
  await appendPhase(home, {
    name: 'isolation',
    start: start.toISOString(),
    end: end.toISOString(),
    verdict: met ? 'met' : 'not_met',
    command: 'lanekeeper verify isolation',
    lanes: 'twin',
    client: 'raw',
    alternates: null,
    faults: null,
    switches: null,
    // Its records lie in a home of their own.
    marks: [],
    figures: { ...NO_FIGURES, seconds: (end.getTime() - start.getTime()) / 1_000, exchanges },
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
