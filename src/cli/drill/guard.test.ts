/** The guard in a process that ends in every way: nothing of what it guards may be left. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { isLiving } from './processes.ts';

const GUARD = new URL('./guard.ts', import.meta.url).href;

/** Starts two sleepers under guard, ends one, prints the id of the other, and does as it is told. */
const program = (folder: string, then: string): string => `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startGuard } from '${GUARD}';
const guard = startGuard(${JSON.stringify(folder)});
const sleeper = () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
  guard.watch(child);
  return child;
};
const [one, other] = [sleeper(), sleeper()];
one.kill();
await once(one, 'exit');
console.log(other.pid);
other.unref();
${then}
`;

for (const [what, then, ending] of [
  ['is killed', 'setInterval(() => {}, 1000);', 'SIGKILL'],
  ['exits', 'process.exit(3);', null],
  ['closes its guard', 'guard.close(); setInterval(() => {}, 1000);', null],
] as const) {
  test(`a process that ${what} leaves none of those that it watched, nor their folder`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-test-'));
    writeFileSync(join(folder, 'file'), '');
    const args = ['--input-type=module', '-e', program(folder, then)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => void child.kill('SIGKILL'));
    const [printed] = (await once(child.stdout, 'data')) as [Buffer];
    const pid = Number(printed.toString());
    assert(pid > 0);
    if (ending !== null) child.kill(ending);
    // Polled, since nothing tells of the end of a process that is not our child.
    while (isLiving(pid) || existsSync(folder)) await wait(20);
  });
}
