/** Whether a target does its job. What is not done is not measured. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Body } from './load/bodies.ts';
import type { Answer } from './load/wire.ts';
import type { Rig } from './rig.ts';
import type { Running } from './targets/running.ts';
import type { Way } from './targets/types.ts';

const EXCHANGES = 8;
/** One request in four is for the small model. */
const SECOND = 2;
const SECONDS_MAX = 60;
const USAGE_POLLS_MAX = 400;
const USAGE_POLL_MS = 50;

const LOADS: readonly [Body, Answer][] = [
  ['small', { kind: 'json' }],
  ['agent', { kind: 'stream', everyMs: 0 }],
  ['large', { kind: 'json' }],
];

/**
 * Sends a few requests of each kind on each way.
 *
 * @returns what is wrong, or null
 */
export async function check(rig: Rig, running: Running): Promise<string | null> {
  const noted = (await running.usageLines()) ?? 0;
  let sent = 0;
  for (const [way, access] of Object.entries(running.access) as [Way, Running['access'][Way]][]) {
    if (access === undefined) continue;
    for (const [body, answer] of LOADS) {
      const problem = await checkLoad(rig, running, { access, body, answer });
      if (problem !== null) return `${way}, ${body}: ${problem}`;
      sent += EXCHANGES;
    }
  }
  return running.target.duty === 'whole' ? checkUsage(running, noted + sent) : null;
}

async function checkLoad(
  rig: Rig,
  running: Running,
  load: Pick<Parameters<Rig['load']>[0], 'access' | 'body' | 'answer'>,
): Promise<string | null> {
  const { measured, seen } = await rig.load({
    ...load,
    connections: 1,
    seconds: SECONDS_MAX,
    exchanges: EXCHANGES,
    models: true,
  });
  if (measured.exchanges !== EXCHANGES) {
    return `${measured.exchanges} of ${EXCHANGES} exchanges, ${measured.firstError ?? 'too slow'}`;
  }
  if (seen.wrongKey > 0) return `${seen.wrongKey} requests without their key or with the other's`;
  if (running.target.duty === 'passes') return null;
  if (seen.second !== SECOND) return `${seen.second} of ${SECOND} requests at the second upstream`;
  return seen.wrongModel > 0 ? `${seen.wrongModel} requests at the wrong upstream` : null;
}

/** A note may be written a little later than the answer. */
async function checkUsage(running: Running, expected: number): Promise<string | null> {
  let lines: number | null = 0;
  for (let poll = 0; poll < USAGE_POLLS_MAX; poll += 1) {
    lines = await running.usageLines();
    if (lines === expected) return null;
    await wait(USAGE_POLL_MS);
  }
  return `${lines ?? 0} notes of what ${expected} exchanges used`;
}
