/**
 * `drill chaos`: a proxy of the drill's own, its twin, and everything that may be done to a process. A
 * proxy that somebody uses is never killed for a drill.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { callControl, readStatus } from '../../admin/client.ts';
import type { ServedStatus } from '../../admin/types.ts';
import { DRILL_KEPT_MAX } from '../../core/limits.ts';
import {
  type ChaosLedger,
  type ChaosOutcome,
  type ChaosView,
  runChaos,
} from '../../drills/chaos.ts';
import { ACT_NAMES, type ActName, type ChaosProxy } from '../../drills/chaos-acts.ts';
import { type ChaosSetting, chaosSummary, describeChaos } from '../../drills/chaos-report.ts';
import { readUsage } from '../../ledger/read.ts';
import { sessionHash } from '../../ledger/session-hash.ts';
import { phaseOfChaos } from '../../session/phases.ts';
import { startTwin, type Twin } from '../../twin/index.ts';
import { CliError, EXIT } from '../failure.ts';
import { print, printJson, say } from '../output.ts';
import { beginPhase, type PhaseOptions } from '../session/phase.ts';
import type { JsonOption } from '../settings.ts';
import { type ChildProxy, startChildProxy } from './child-proxy.ts';
import { isLiving, socketsAt } from './processes.ts';
import { accessOf, CANARY, type TargetOptions } from './target.ts';

export interface ChaosDrillOptions extends TargetOptions, JsonOption, PhaseOptions {
  readonly minutes?: number;
  readonly concurrency?: number;
  readonly act?: readonly ActName[];
  readonly port?: number;
  readonly after?: number;
}

const STREAMS = 64;
const WORKERS = 2;
const LEAD_S = 1;
const MS_PER_MINUTE = 60_000;

/** Exit code 1 where a check is not met, 130 where it was interrupted. */
export async function chaosDrill(options: ChaosDrillOptions, stop: AbortSignal): Promise<number> {
  const { outcome, setting } = await chaosPhase(options, stop);
  if (options.json === true) printJson(chaosSummary(outcome, setting));
  else print(describeChaos(outcome, setting));
  if (outcome.interrupted) return EXIT.interrupted;
  return outcome.ok ? EXIT.done : EXIT.failed;
}

/** Runs it, and keeps it as a phase of the session of its home. */
export async function chaosPhase(
  options: ChaosDrillOptions,
  stop: AbortSignal,
): Promise<{ readonly outcome: ChaosOutcome; readonly setting: ChaosSetting }> {
  if (options.proxy !== undefined) {
    throw new CliError(
      'drill chaos ends and starts the proxy: it takes one of its own, leave --proxy out',
      EXIT.usage,
    );
  }
  const work = mkdtempSync(join(tmpdir(), 'lanekeeper-chaos-'));
  const home = options.home === undefined ? work : resolve(options.home);
  const twin = await startTwin({ keep: DRILL_KEPT_MAX });
  const place = { home, work, configFile: options.config, workers: WORKERS };
  const proxy = await startOwn((port) => startChildProxy(twin, { ...place, port }), options.port);
  try {
    const bundle = join(home, 'ca', 'ca-cert.pem');
    const access = accessOf(options, proxy.child().url, CANARY, bundle);
    const evidence = join(home, 'logs', 'usage.jsonl');
    const sessions = [access.session];
    const keep = await beginPhase(options, {
      evidence,
      simulated: true,
      client: 'raw',
      twin,
      sessions,
    });
    const outcome = await runChaos({
      access,
      proxy: chaosProxy(home, proxy),
      twin,
      acts: options.act ?? ACT_NAMES,
      streams: options.concurrency ?? STREAMS,
      leadMs: (options.after ?? LEAD_S) * 1_000,
      ms: options.minutes === undefined ? null : options.minutes * MS_PER_MINUTE,
      view: viewOf(home, twin, proxy, access.session),
      stop,
      onProgress: say,
    });
    await keep((phase) => phaseOfChaos(outcome, phase));
    return { outcome, setting: { workers: WORKERS, evidence } };
  } finally {
    await proxy.child().stop();
    await twin.close();
    if (home !== work) rmSync(work, { recursive: true, force: true });
  }
}

/** The proxy of the drill, which is started again and again at one port. */
interface OwnProxy {
  child(): ChildProxy;
  start(): Promise<void>;
}

async function startOwn(
  launch: (port: number) => Promise<ChildProxy>,
  port = 0,
): Promise<OwnProxy> {
  let child = await launch(port);
  const bound = Number(child.url.port);
  return {
    child: () => child,
    start: async () => {
      child = await launch(bound);
    },
  };
}

function chaosProxy(home: string, proxy: OwnProxy): ChaosProxy {
  return {
    processes: async () => {
      const { pid, workers } = await patientStatus(home);
      const serving = workers.filter(({ draining }) => !draining);
      return { supervisor: pid, workers: serving.map((worker) => worker.pid) };
    },
    signal: (pid, signal) => void process.kill(pid, signal),
    ended: async () => void (await proxy.child().exited),
    start: proxy.start,
    renew: async () => void (await callControl(home, 'POST', '/restart')),
    open: async () => (await patientStatus(home)).exchanges.open,
  };
}

/** Where no worker serves for the moment, the next one will soon. */
async function patientStatus(home: string): Promise<ServedStatus> {
  return readStatus(home).catch(() => readStatus(home));
}

function viewOf(home: string, twin: Twin, proxy: OwnProxy, session: string): ChaosView {
  return {
    living: (pids) => pids.filter(isLiving),
    clientSockets: () => socketsAt(Number(proxy.child().url.port)),
    upstreamSockets: async () => {
      const { lanes } = await patientStatus(home);
      const own = lanes.reduce((sum, lane) => sum + lane.sockets_idle + lane.sockets_busy, 0);
      return Math.max(0, twin.anthropic.connections() + twin.zai.connections() - own);
    },
    ledger: async () => {
      await proxy.child().stop();
      return ledgerOf(join(home, 'logs', 'usage.jsonl'), sessionHash(session));
    },
  };
}

async function ledgerOf(path: string, mark: string): Promise<ChaosLedger> {
  const reader = readUsage(path);
  const seen = new Set<string>();
  let doubled = 0;
  for await (const { rid, session } of reader) {
    if (session !== mark) continue;
    if (seen.has(rid)) doubled += 1;
    seen.add(rid);
  }
  return { records: seen.size, doubled, damaged: reader.damaged };
}
