/** Cold starts: from the start of the program to the first answer through it, and where the time goes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { bodyOf } from './load/bodies.ts';
import { type Connection, hostOf, opener, requestOf } from './load/client.ts';
import { cpuOf } from './load/cpu.ts';
import type { Access } from './load/types.ts';
import type { Rig } from './rig.ts';
import type { Row, StartRow } from './rows.ts';
import { start } from './targets/running.ts';
import type { Site, Target } from './targets/types.ts';

/** Between two tries of a first answer. */
const RETRY_MS = 2;
const TRIES_MAX = 5_000;
/** A program that has just started is still at work; then its memory is what it keeps. */
const SETTLE_MS = 400;

/** The name under which the start of Node itself is kept. */
export const BARE_NODE = 'node -e 0';

export interface StartPart {
  readonly starts: number;
  readonly rig: Rig;
  readonly targets: readonly Target[];
  readonly siteOf: (target: Target) => Site;
  readonly keep: (row: Row) => void;
  readonly say: (line: string) => void;
}

/** Starts each target so many times, in turn. The first start, which makes certificates, is not counted. */
export async function measureStarts(part: StartPart): Promise<void> {
  await part.rig.answer({ kind: 'json' });
  for (let round = 0; round <= part.starts; round += 1) {
    const rows: StartRow[] = [await bareNode()];
    for (const target of part.targets) {
      const row = await measureStart(part, target);
      if (row !== null) rows.push(row);
    }
    if (round === 0) continue;
    for (const row of rows) part.keep(row);
    const figures = rows.map(({ target, answerMs }) => `${target}=${answerMs.toFixed(0)}ms`);
    part.say(`start ${round}: ${figures.join(' ')}`);
  }
}

async function bareNode(): Promise<StartRow> {
  const begun = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  const answerMs = performance.now() - begun;
  return { row: 'start', target: BARE_NODE, portMs: answerMs, answerMs, cpuMs: null, memory: [] };
}

async function measureStart(part: StartPart, target: Target): Promise<StartRow | null> {
  const running = await start(target, part.siteOf(target), null).catch(String);
  if (typeof running === 'string') {
    part.say(running);
    return null;
  }
  try {
    const access = running.access.tls ?? running.access.gateway;
    if (access === undefined) return null;
    await firstAnswer(access);
    const answerMs = performance.now() - running.begun;
    const cpu = cpuOf(running.pids());
    await wait(SETTLE_MS);
    await running.rest();
    const { portMs } = running;
    return {
      row: 'start',
      target: target.name,
      portMs,
      answerMs,
      cpuMs: cpu === null ? null : cpu * 1000,
      memory: running.memory(),
    };
  } finally {
    await running.stop();
  }
}

/**
 * Asks until there is an answer.
 *
 * @throws Error (rejected) where none comes
 */
export async function firstAnswer(access: Access): Promise<void> {
  for (let tries = 0; !(await answers(access)); tries += 1) {
    if (tries === TRIES_MAX) throw new Error(`port ${access.port} does not answer`);
    await wait(RETRY_MS);
  }
}

const BODY = bodyOf('small', 'main', false);

/** One exchange on a new connection. */
function answers(access: Access): Promise<boolean> {
  return new Promise((resolve) => {
    let connection: Connection | null = null;
    const done = (whole: boolean): void => {
      connection?.close();
      resolve(whole);
    };
    opener(access)(
      {
        data: () => undefined,
        end: (status) => done(status === 200),
        fail: () => done(false),
      },
      (opened) => {
        connection = opened;
        opened.send(requestOf(BODY, hostOf(access), true));
      },
    );
  });
}
