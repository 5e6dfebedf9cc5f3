/**
 * The whole of `verify isolation`: two proxies, one after the other, each as a user runs it; what is
 * sent through them, and what is looked at then.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ISOLATION_ANSWER_MS_MAX } from '../../../core/limits.ts';
import { EXIT } from '../../failure.ts';
import { sendElsewhere, sendHalves, sendNonsense, sendPipelines, sendUpgrades } from './bytes.ts';
import { AUTHS, type Canaries, HAIKU, mintCanaries, OPUS, SONNET } from './canaries.ts';
import { type Made, type Received, type Told, WAYS, type Way } from './exchange.ts';
import { type Isolation, judgeIsolation } from './judge.ts';
import {
  answersOf,
  coreLimitOf,
  filesOf,
  processesOf,
  receivedBy,
  restsOf,
  saidBy,
  unshownBy,
} from './places.ts';
import { startProgram } from './process.ts';
import {
  defaultLaneShapes,
  dyingShapes,
  faultyShapes,
  laneShapes,
  leavingShapes,
  oversizedShape,
  type Shape,
  steadyShapes,
} from './shapes.ts';
import {
  changeKey,
  command,
  control,
  type Numbers,
  type Stage,
  type StageOptions,
  send,
  useRecorder,
  withStage,
  workersOf,
} from './stage.ts';

export interface IsolationRun extends Isolation {
  readonly exchanges: number;
  /** How many of each shape. */
  readonly shapes: Readonly<Record<string, number>>;
}

/** Of one stage. */
export interface StageEvidence {
  readonly made: readonly Made[];
  readonly received: readonly Received[];
  readonly told: readonly Told[];
  readonly problems: readonly string[];
}

/** The environment of somebody who debugs everything. */
const TALKATIVE = {
  LANEKEEPER_DEBUG: '1',
  NODE_DEBUG: 'http,http2,net,tls,stream,child_process',
  NODE_OPTIONS: '--report-on-signal --report-uncaught-exception --heapsnapshot-near-heap-limit=1',
};
/** Over the home, when all exchanges are made. They share nothing, so they run at once. */
const COMMANDS: readonly (readonly string[])[] = [['report'], ['cost'], ['gates'], ['versions']];
const POLL_MS = 20;
/** Fewer exchanges than these are not sent by all ways. */
const FEW = 800;

/** Runs it with so many exchanges, about. */
export async function runIsolation(count: number): Promise<IsolationRun> {
  const canaries = mintCanaries();
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'lanekeeper-isolation-')));
  let last = 0;
  const numbers = (): number => {
    last += 1;
    return last;
  };
  try {
    const load = loadFor(count, canaries);
    const stages = await bothOf([
      withStage(plainStage(root, canaries), (stage) => runPlain(stage, numbers, load)),
      withStage(fullStage(root, canaries), (stage) => runFull(stage, numbers, load)),
    ]);
    const made = stages.flatMap((stage) => stage.made);
    const judged = judgeIsolation(
      {
        made,
        received: stages.flatMap((stage) => stage.received),
        told: stages.flatMap((stage) => stage.told),
      },
      canaries,
    );
    const problems = stages.flatMap((stage) => stage.problems);
    return {
      exchanges: made.length,
      shapes: countsOf(made),
      ...judged,
      findings: [...problems, ...judged.findings],
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Waits for all of them, also where one fails, since they write below the same folder. */
async function bothOf<T>(all: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(all);
  return Promise.all(all);
}

/** What is sent over and over. */
interface Load {
  readonly rounds: number;
  readonly ways: readonly Way[];
}

/** Where few are asked for, two of the ways do; what goes wrong is sent once by each of them. */
function loadFor(count: number, canaries: Canaries): Load {
  const ways: readonly Way[] = count < FEW ? ['connect', 'h2'] : WAYS;
  const once = (shapes: readonly Shape[]): number => shapes.length * ways.length * AUTHS.length;
  const others = once(faultyShapes(canaries)) + once(leavingShapes(canaries));
  const rounds = Math.round((count - others) / once(steadyShapes(canaries)) / 2);
  return { rounds: Math.max(1, rounds), ways };
}

/** The first request with the key is refused, and sent again with the key in the other field. */
function plainStage(root: string, canaries: Canaries): StageOptions {
  return {
    name: 'plain',
    root,
    canaries,
    header: 'x-api-key',
    zaiTakes: 'authorization',
    workers: 1,
    dotEnv: false,
    env: {},
  };
}

/** HTTP/2 wherever it is offered, two workers, body samples, and everything that can go wrong. */
function fullStage(root: string, canaries: Canaries): StageOptions {
  return {
    name: 'full',
    root,
    canaries,
    header: 'authorization',
    zaiTakes: 'both',
    workers: 2,
    dotEnv: true,
    env: { MITM_HTTP2: '1', ENABLE_BODY_TEE: '1', ...TALKATIVE },
  };
}

async function runPlain(stage: Stage, numbers: Numbers, load: Load): Promise<StageEvidence> {
  const c = stage.options.canaries;
  const learning: Shape = {
    name: 'zai, the other header is learned',
    make: (auth, id) => ({ ...learned(c).make(auth, id), arrives: { zai: [1, 2] } }),
  };
  await send(stage, numbers, [learning], { ways: ['connect'] });
  await send(stage, numbers, steadyShapes(c), load);
  await sendUpgrades(stage, numbers, false);
  await sendNonsense(stage);
  const told = await processesOf(stage);
  await askControl(stage);
  await command(stage, ['env'], 'env command');
  await stage.proxy.stop();
  return evidenceOf(stage, { told, problems: [], keyChangedAt: Number.POSITIVE_INFINITY });
}

const learned = (c: Canaries): Shape => {
  const [zai] = laneShapes(c, 'zai');
  if (zai === undefined) throw new Error('no shape for zai');
  return zai;
};

async function runFull(stage: Stage, numbers: Numbers, load: Load): Promise<StageEvidence> {
  const c = stage.options.canaries;
  await control(stage, 'POST', '/tee', { on: true });
  // One by one: what a fault does to a shared connection, others must not have to count for.
  for (const shapes of [faultyShapes(c), leavingShapes(c)]) {
    await send(stage, numbers, shapes, { ways: load.ways });
  }
  await whileTailing(stage, () => send(stage, numbers, steadyShapes(c), load));
  await control(stage, 'POST', '/tee', { on: false });
  await sendPipelines(stage, numbers);
  const problems = await sendElsewhere(stage, numbers);
  await sendNonsense(stage);
  await throwSwitches(stage, numbers);
  problems.push(...(await killWorkers(stage, numbers)));
  const keyChangedAt = numbers();
  changeKey(stage);
  await control(stage, 'POST', '/reload');
  await send(stage, numbers, laneShapes(c, 'key changed'));
  useRecorder(stage);
  await control(stage, 'POST', '/reload');
  await send(stage, numbers, laneShapes(c, 'upstream changed'));
  await send(stage, numbers, [oversizedShape(c)], { ways: ['gateway'], auths: ['key'] });
  await sendUpgrades(stage, numbers, true);
  await sendHalves(stage, numbers);
  await askControl(stage);
  const told = await processesOf(stage);
  problems.push(...(await runAll(stage, [['status'], ['doctor']])));
  await stage.proxy.stop();
  problems.push(...(await runAll(stage, COMMANDS)));
  for (const args of [['handoff'], ['bundle']]) problems.push(...(await runAll(stage, [args])));
  return evidenceOf(stage, { told, problems, keyChangedAt });
}

/** Runs commands at once. Returns those that did not run: what they judge is not the matter here. */
async function runAll(stage: Stage, commands: readonly (readonly string[])[]): Promise<string[]> {
  const codes = await Promise.all(commands.map((args) => command(stage, args)));
  return codes.flatMap((code, index) =>
    code === EXIT.done || code === EXIT.failed
      ? []
      : [`${commands[index]?.join(' ')} did not run: exit status ${code}`],
  );
}

/** `tail` goes on by itself until it is ended; what it says is kept. */
async function whileTailing(stage: Stage, work: () => Promise<void>): Promise<void> {
  const tail = startProgram(['tail'], stage.scene, stage.env);
  try {
    await work();
  } finally {
    tail.child.kill('SIGINT');
    await tail.ended;
  }
  const { stdout, stderr } = tail.said();
  const bytes = Buffer.concat([stdout, stderr]);
  stage.told.push({ place: 'output of commands', at: 'tail', bytes });
}

/** Paused, and not forced: all of it, or Haiku, takes the default lane. */
async function throwSwitches(stage: Stage, numbers: Numbers): Promise<void> {
  const c = stage.options.canaries;
  await control(stage, 'POST', '/pause');
  await send(stage, numbers, defaultLaneShapes(c, 'paused', [HAIKU, SONNET, OPUS]));
  await control(stage, 'POST', '/resume');
  await control(stage, 'POST', '/force', { on: false });
  await send(stage, numbers, defaultLaneShapes(c, 'not forced', [HAIKU, SONNET]));
  await control(stage, 'POST', '/force', { on: true });
}

/** Workers die in the middle of exchanges, by what would leave a core file; others take their place. */
async function killWorkers(stage: Stage, numbers: Numbers): Promise<string[]> {
  const problems: string[] = [];
  const c = stage.options.canaries;
  for (const signal of ['SIGABRT', 'SIGUSR2'] as const) {
    const [victim = 0, ...others] = await workersOf(stage);
    const limit = await coreLimitOf(victim);
    if (limit !== null && limit !== '0') problems.push(`a worker may leave a core of ${limit}`);
    // Opens no debugger, and ends nothing.
    process.kill(victim, 'SIGUSR1');
    const sent = send(stage, numbers, dyingShapes(c), { ways: ['connect', 'h2'] });
    await wait(POLL_MS);
    process.kill(victim, signal);
    await sent;
    await until(async () => {
      const pids = await workersOf(stage);
      return pids.length > others.length && !pids.includes(victim);
    });
  }
  return problems;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ISOLATION_ANSWER_MS_MAX;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('no new worker in time');
    await wait(POLL_MS);
  }
}

async function askControl(stage: Stage): Promise<void> {
  for (const path of ['/status', '/metrics']) await control(stage, 'GET', path);
}

/** All that is there to be judged once the proxy has ended. */
export async function evidenceOf(
  stage: Stage,
  more: {
    readonly told: readonly Told[];
    readonly problems: readonly string[];
    readonly keyChangedAt: number;
  },
): Promise<StageEvidence> {
  const { told, dumps } = await filesOf(stage);
  return {
    made: stage.made,
    received: receivedBy(stage, more.keyChangedAt),
    told: [
      ...restsOf(stage),
      ...answersOf(stage.made),
      ...saidBy(stage),
      ...stage.told,
      ...more.told,
      ...told,
    ],
    problems: [
      ...more.problems,
      ...unshownBy(stage),
      ...dumps.map((file) => `a process was made to dump: ${file}`),
    ],
  };
}

function countsOf(made: readonly Made[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { shape } of made) counts[shape] = (counts[shape] ?? 0) + 1;
  return counts;
}
