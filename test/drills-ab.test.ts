/** The drill `ab` as users run it: two proxies beside each other, in small. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isRunning } from '../src/admin/client.ts';
import type { summaryAb } from '../src/drills/ab-report.ts';
import { runCommand, startCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { readRecords } from './support/proxy-process.ts';

type Summary = ReturnType<typeof summaryAb>;

async function ab(home: string, args: readonly string[]) {
  const result = await runCommand(['drill', 'ab', ...args, '--home', home, '--json'], { home });
  assert.match(result.stdout, /^\{/, result.stderr);
  return { ...result, value: JSON.parse(result.stdout) as Summary };
}

function failing({ comparisons }: Summary): string[] {
  return comparisons.flatMap(({ checks }) =>
    checks.flatMap((check) => (check.met === false ? [check.name] : [])),
  );
}

describe('drill ab', { concurrency: 2 }, () => {
  test('compares HTTP/2 with HTTP/1.1, for short streams and for uploads from afar', async (t) => {
    const home = await tempHome(t);
    const args = ['--of', 'http2', '--count', '20', '--concurrency', '2', '--rtt-ms', '6'];
    const { code, value, stderr } = await ab(home, args);
    assert.deepEqual(failing(value), []);
    assert.equal(code, 0, stderr);
    const [mixture, uploads] = value.comparisons;
    assert(mixture !== undefined && uploads !== undefined);
    // Two blocks of ten, or ten of two, and as much as one of them before.
    for (const [one, exchanges] of [
      [mixture, 30],
      [uploads, 22],
    ] as const) {
      for (const side of [one.a, one.b]) {
        assert.deepEqual([side.exchanges, side.whole, side.errors], [exchanges, exchanges, {}]);
      }
      assert.equal(one.a.h2, 0);
      assert.equal(one.emulated_rtt_ms, 6);
      for (const { a, b, difference_95, ratio_95, verdict } of Object.values(one.quantities)) {
        assert(a > 0 && b > 0);
        assert.equal(difference_95?.length, 2);
        assert.equal(ratio_95?.length, 2);
        assert.match(verdict, /no difference shown|^B (slower|faster)/);
      }
    }
    assert.equal(mixture.b.h2, 30);
    assert.deepEqual(Object.keys(mixture.quantities), ['latency', 'ttfb']);
    assert.deepEqual(Object.keys(uploads.quantities), ['latency', 'ttfb', 'throughput']);
    // The way to the twin and back was as long as was asked for.
    assert(mixture.quantities['ttfb'] !== undefined && mixture.quantities['ttfb'].a >= 6);
    for (const { evidence } of value.comparisons) {
      for (const ledger of evidence) {
        const side = path.dirname(path.dirname(ledger));
        assert(side.startsWith(home));
        assert.equal(await isRunning(side), false);
        assert((await readRecords(side, 1)).length > 0);
      }
    }
  });

  test('compares the two ways of presenting the key', async (t) => {
    const home = await tempHome(t);
    const { code, value } = await ab(home, ['--of', 'header-mode', '--count', '12', '--gateway']);
    assert.deepEqual(failing(value), []);
    assert.equal(code, 0);
    const [{ a, b } = assert.fail('no comparison')] = value.comparisons;
    assert.deepEqual(a.header_modes, { 'x-api-key': 18 });
    assert.deepEqual(b.header_modes, { authorization: 18 });
    assert.deepEqual(b.lanes, { zai: 18 });
  });

  test('an exchange that goes wrong on either side fails it', async (t) => {
    const home = await tempHome(t);
    const file = path.join(home, 'bad.yaml');
    await writeFile(file, 'routes: [{ name: wrong, when: { model: "*sonnet*" }, lane: zai }]\n');
    const args = ['--of', 'http2', '--count', '8', '--concurrency', '1', '--config', file];
    const { code, value } = await ab(home, [...args, '--rtt-ms', '0']);
    assert.equal(code, 1);
    assert.equal(value.ok, false);
    const [mixture] = value.comparisons;
    assert.deepEqual([mixture?.a.misroutes, mixture?.b.misroutes], [6, 6]);
    for (const name of ['A routing', 'A streams', 'B routing', 'B streams']) {
      assert(failing(value).includes(name), name);
    }
  });

  test('Ctrl-C ends it in order: what was measured is printed, and the exit is 130', async (t) => {
    const home = await tempHome(t);
    const args = ['drill', 'ab', '--of', 'header-mode', '--minutes', '5', '--home', home, '--json'];
    const { child, done } = startCommand(args, { home });
    const sides = ['a', 'b'].map((side) => path.join(home, 'ab', `header-mode-${side}`));
    // Polled: nothing tells that the second side runs.
    while (!existsSync(path.join(sides[1] ?? '', 'logs', 'usage.jsonl'))) await wait(20);
    child.kill('SIGINT');
    const { code, stdout } = await done;
    assert.equal(code, 130);
    const value = JSON.parse(stdout) as Summary;
    assert.equal(value.interrupted, true);
    assert.deepEqual(failing(value), []);
    for (const side of sides) assert.equal(await isRunning(side), false);
  });

  test('what it can not do it says, with the mend', async (t) => {
    const home = await tempHome(t);
    for (const [args, mend] of [
      [['ab', '--pause-ms', '5'], /takes no --pause-ms and no --proxy/],
      [['ab', '--proxy', 'http://127.0.0.1:1'], /proxies of its own/],
      [['ab', '--of', 'colour'], /Allowed choices are http2, header-mode/],
      [['ab', '--rtt-ms', '1001'], /from 0 to 1000/],
      [['burst', '--of', 'http2'], /are for drill ab, not for burst/],
    ] as const) {
      const { code, stderr } = await runCommand(['drill', ...args, '--home', home], { home });
      assert.equal(code, 2, stderr);
      assert.match(stderr, mend);
    }
  });
});
