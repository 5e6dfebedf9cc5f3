/** The chaos drill as its users run it: each act on a few streams, and what it must not excuse. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { isRunning } from '../src/admin/client.ts';
import { ACT_NAMES } from '../src/drills/chaos-acts.ts';
import type { chaosSummary } from '../src/drills/chaos-report.ts';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';

type Summary = ReturnType<typeof chaosSummary>;

const ROOT = path.join(import.meta.dirname, '..');
const SMALL = ['--concurrency', '6', '--after', '0'];

describe('drill chaos', { concurrency: 2 }, () => {
  for (const name of ACT_NAMES) {
    test(`${name}: costs what it may, and leaves nothing`, async (t) => {
      const home = await tempHome(t);
      const args = ['drill', 'chaos', '--act', name, ...SMALL, '--home', home, '--json'];
      const { code, stdout, stderr } = await runCommand(args, { home });
      assert.equal(code, 0, `${stdout}${stderr}`);
      const { acts, checks, exchanges, ledger, faults } = JSON.parse(stdout) as Summary;
      const [act, ...others] = acts;
      assert.deepEqual(others, []);
      assert.deepEqual([act?.act, act?.streams, act?.unexcused], [name, 6, 0]);
      assert(checks.length === 5 && checks.every(({ met }) => met));
      assert.deepEqual([act?.orphans, act?.stuck_upstream_sockets, faults], [[], 0, {}]);
      assert(exchanges > 6, 'exchanges arrive meanwhile');
      assert(ledger.records <= exchanges);
      const lost = { 'kill-worker': 3, kill: 6 }[name as string] ?? 0;
      assert.equal(act?.streams_lost, lost);
      if (lost === 0) assert.equal(ledger.records, exchanges);
      assert.equal(await isRunning(home), false);
    });
  }

  test('a proxy that somebody uses is never taken', async (t) => {
    const home = await tempHome(t);
    const args = ['drill', 'chaos', '--proxy', 'http://127.0.0.1:8082'];
    const { code, stderr } = await runCommand(args, { home });
    assert.equal(code, 2);
    assert.match(stderr, /takes one of its own, leave --proxy out/);
  });

  test('the script takes a port and seconds', async (t) => {
    const home = await tempHome(t);
    const script = path.join(ROOT, 'scripts', 'chaos-restart-mitm.sh');
    const args = ['0', '0', '--concurrency', '2', '--act', 'renew'];
    const env = { HOME: home, LANEKEEPER_HOME: home, PATH: process.env['PATH'] ?? '' };
    const { stdout } = await promisify(execFile)(script, args, { cwd: home, env });
    assert.match(stdout, /^renew +0 of 2 /m);
    assert.match(stdout, /^met +ledger: \d+ records of \d+ exchanges, 0 without one/m);
  });
});
