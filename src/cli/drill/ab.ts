/**
 * The drill `ab` from the command line: for each comparison a twin, two proxies of the drill's own that
 * differ in one switch, and, where a round trip is emulated, a delay line before each upstream.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { DRILL_KEPT_MAX } from '../../core/limits.ts';
import { type AbProgress, type AbSide, runAb } from '../../drills/ab.ts';
import { type AbCase, type AbSetting, type AbSubject, abCasesOf } from '../../drills/ab-plan.ts';
import { type AbEvidence, abProgressLine, describeAb, summaryAb } from '../../drills/ab-report.ts';
import { startDelayLine } from '../../drills/delay-line.ts';
import type { Access, DrillClient } from '../../drills/types.ts';
import { startTwin, type Twin } from '../../twin/index.ts';
import { CliError, EXIT } from '../failure.ts';
import { print, printJson } from '../output.ts';
import type { CommonOptions, JsonOption } from '../settings.ts';
import { startChildProxy } from './child-proxy.ts';
import { proxyView } from './proxy-view.ts';
import { accessOf, CANARY } from './target.ts';

/** The options of the command that `ab` takes. */
export interface AbOptions extends CommonOptions, JsonOption {
  readonly of?: AbSubject;
  readonly rttMs?: number;
  readonly minutes?: number;
  readonly count?: number;
  readonly concurrency?: number;
  readonly gateway?: boolean;
  /** And some that it does not. */
  readonly pauseMs?: number;
  readonly proxy?: string;
}

/** What the command lends to it. */
export interface AbTools {
  /** Of the clients. */
  readonly name: string;
  readonly clients: (access: Access) => DrillClient;
  readonly stop: AbortSignal;
  readonly tell: { line(seconds: number, text: string): void; end(): void };
}

/** Closes what was opened, the last first. */
type Closers = (() => Promise<void>)[];

/** Exit code 1 where a check is not met, 130 where it was interrupted. */
export async function abDrill(options: AbOptions, tools: AbTools): Promise<number> {
  const all = await compareSides(options, tools);
  const how = { client: tools.name, via: viaOf(options) } as const;
  if (options.json === true) printJson(summaryAb(all, how));
  else print(describeAb(all, how));
  if (tools.stop.aborted) return EXIT.interrupted;
  return all.every(({ outcome }) => outcome.ok) ? EXIT.done : EXIT.failed;
}

/** Runs the comparisons that are asked for; fewer where it is stopped. */
export async function compareSides(
  options: AbOptions,
  tools: AbTools,
): Promise<readonly AbEvidence[]> {
  if (options.pauseMs !== undefined || options.proxy !== undefined) {
    throw new CliError(
      'drill ab compares proxies of its own without pause; it takes no --pause-ms and no --proxy',
      EXIT.usage,
    );
  }
  const work = mkdtempSync(join(tmpdir(), 'lanekeeper-ab-'));
  const home = options.home === undefined ? work : resolve(options.home);
  const all: AbEvidence[] = [];
  try {
    for (const plan of abCasesOf(options.of ?? null, options)) {
      if (tools.stop.aborted) break;
      all.push(await runCase(plan, { options, tools, home, work }));
    }
  } finally {
    if (home !== work || all.length === 0) rmSync(work, { recursive: true, force: true });
  }
  return all;
}

interface Place {
  readonly options: AbOptions;
  readonly tools: AbTools;
  readonly home: string;
  readonly work: string;
}

async function runCase(plan: AbCase, place: Place): Promise<AbEvidence> {
  const { tools } = place;
  const closers: Closers = [];
  try {
    const twin = await startTwin({ keep: DRILL_KEPT_MAX });
    closers.push(twin.close);
    const distant = plan.rttMs === 0 ? twin : await removeTo(twin, plan.rttMs, closers);
    const a = await openSide(plan, 'a', distant, place, closers);
    const b = await openSide(plan, 'b', distant, place, closers);
    const onProgress = (progress: AbProgress): void =>
      tools.tell.line(progress.seconds, abProgressLine(plan, progress));
    const outcome = await runAb({ plan, sides: { a, b }, twin, stop: tools.stop, onProgress });
    return { outcome, ledgers: [a.ledger, b.ledger] };
  } finally {
    tools.tell.end();
    for (const close of closers.reverse()) await close();
  }
}

/** The twin as it is seen from so far away. */
async function removeTo(twin: Twin, rttMs: number, closers: Closers): Promise<Twin> {
  const distant = async (endpoint: Twin['anthropic']): Promise<Twin['anthropic']> => {
    const line = await startDelayLine({ host: endpoint.host, port: endpoint.port, rttMs });
    closers.push(line.close);
    return { ...endpoint, port: line.port, origin: `https://127.0.0.1:${line.port}` };
  };
  return { ...twin, anthropic: await distant(twin.anthropic), zai: await distant(twin.zai) };
}

async function openSide(
  plan: AbCase,
  side: 'a' | 'b',
  twin: Twin,
  { options, tools, home, work }: Place,
  closers: Closers,
): Promise<AbSide & { readonly ledger: string }> {
  const setting: AbSetting = plan[side];
  const name = `${plan.name.replaceAll(' ', '-')}-${side}`;
  const own = { home: join(home, 'ab', name), work: join(work, `${name}-configuration`) };
  mkdirSync(own.work);
  const place = { ...own, configFile: options.config, env: setting.env };
  const child = await startChildProxy(twin, place);
  closers.push(child.stop);
  const bundle = join(own.home, 'ca', 'ca-cert.pem');
  const access = accessOf(options, child.url, CANARY, bundle);
  const ledger = join(own.home, 'logs', 'usage.jsonl');
  const view = proxyView({ home: own.home, ledger, session: access.session, stop: child.stop });
  return { client: () => tools.clients(access), records: () => view.records(0), ledger };
}

function viaOf({ gateway }: AbOptions): Access['via'] {
  return gateway === true ? 'gateway' : 'connect';
}
