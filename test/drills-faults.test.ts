/**
 * Drills while things go wrong, and the long runs, as users run them: short ones. What the twin does
 * wrong must arrive as it is, and no drill may fail for it.
 */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { readStatus } from '../src/admin/client.ts';
import { runCommand } from './support/command.ts';
import { drill, failing, type Summary } from './support/drill.ts';
import { tempHome } from './support/home.ts';
import { readRecords, startProxyProcess } from './support/proxy-process.ts';

describe('faults of the upstream', { concurrency: 2 }, () => {
  for (const [name, args, env, kinds] of [
    ['HTTP/1.1', ['--concurrency', '4'], {}, ['reset_mid_stream', 'auth_mode', 'truncated_gzip']],
    ['HTTP/2', ['--concurrency', '4'], { MITM_HTTP2: '1' }, ['goaway', 'refused_stream']],
    ['backoff', ['--concurrency', '8'], { MITM_ENABLE_BACKOFF: '1' }, ['status', 'concurrency']],
    ['the SDK', ['--client', 'sdk'], {}, ['error_event', 'bad_json', 'reset_before_head']],
    ['a gateway', ['--gateway'], {}, ['end_mid_stream', 'html']],
  ] as const) {
    test(`with ${name} each is met, delivered as sent, and told by the ledger`, async (t) => {
      const home = await tempHome(t);
      const size = ['burst', '--count', '160', '--fault-rate', '0.6', ...args];
      const { code, value, stderr } = await drill(home, size, env);
      assert.deepEqual(failing(value), []);
      assert.equal(code, 0, stderr);
      // Where a shared connection goes away, or the upstream for a while, some requests may have never been
      // seen. How many is bounded by the plan, and the drill has judged it.
      const unreached = value.errors['unreached'] ?? 0;
      assert.deepEqual(value.errors, unreached === 0 ? {} : { unreached });
      assert.equal(value.whole + value.spoilt + unreached, value.exchanges);
      assert(value.spoilt > 60 && value.whole > 20, `${value.spoilt} spoilt, ${value.whole} whole`);
      assert.equal(value.ledger?.records, 160);
      for (const kind of kinds) assert(kind in value.faults, `${kind} was not met`);
      for (const [kind, { met, delivered }] of Object.entries(value.faults)) {
        assert(delivered <= met && delivered >= met - unreached, kind);
      }
      const records = await readRecords(home, 160);
      const cut = records.filter(({ sse }) => sse === 'cut');
      assert(cut.length > 0 && cut.every(({ status }) => status === 200));
    });
  }

  test('the same seed meets the same faults, another one others', async (t) => {
    const met = async (seed: string) => {
      const args = ['burst', '--count', '80', '--fault-rate', '0.3', '--fault-seed', seed];
      const { value } = await drill(await tempHome(t), args);
      assert.deepEqual(failing(value), []);
      const { slow_tls: _, ...ofRequests } = value.faults;
      return ofRequests;
    };
    const first = await met('3');
    assert.deepEqual(await met('3'), first);
    assert.notDeepEqual(await met('4'), first);
  });

  test('a plan from a file befalls what it matches; the text counts it apart', async (t) => {
    const home = await tempHome(t);
    const file = path.join(home, 'plan.yaml');
    const rule = '{ match: { persona: zai, every: 5 }, fault: { kind: reset_mid_stream } }';
    await writeFile(file, `rules: [${rule}]\n`);
    const args = ['drill', 'burst', '--faults', file, '--home', home];
    const { code, stdout, stderr } = await runCommand(args, { home });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^ +reset_mid_stream: met 3, delivered as sent 3$/m);
    assert.match(stdout, /^met +streams: .* as a fault of the upstream left them/m);
    assert.match(stdout, /^met +records: 30 records, 30 exchanges; alike in status, end, bytes/m);
  });

  test('what can not be judged is refused, with the mend', async (t) => {
    const { home } = await startProxyProcess(t);
    const refuse = path.join(home, 'refuse.yaml');
    const bad = path.join(home, 'bad.yaml');
    await writeFile(refuse, 'rules: [{ fault: { kind: refuse, ms: 5 } }]\n');
    await writeFile(bad, 'rules: [{ fault: { kind: nonsense } }]\n');
    for (const [args, expected, mend] of [
      [['burst', '--fault-rate', '0.1'], 2, /add --twin/],
      [['burst', '--fault-rate', '0.1', '--proxy', 'http://127.0.0.1:1'], 2, /add --twin/],
      [['burst', '--fault-rate', '0'], 2, /a share above 0/],
      [['burst', '--fault-rate', '1.5'], 2, /a share above 0/],
      [['burst', '--fault-rate', '0.1', '--faults', bad], 2, /choose one/],
      [['burst', '--fault-seed', '1'], 2, /goes with --fault-rate/],
      [['burst', '--twin', '--faults', bad], 78, /bad\.yaml:1 rules\[0\]\.fault\.kind/],
      [['burst', '--twin', '--faults', refuse], 78, /take the rule out/],
      [['burst', '--twin', '--faults', path.join(home, 'none')], 78, /can not be read/],
      [['burst', '--alternate', 'force'], 2, /is for drill soak/],
      [['soak', '--alternate', 'force', '--proxy', 'http://127.0.0.1:1'], 2, /name it with --home/],
    ] as const) {
      const env = { ANTHROPIC_API_KEY: 'fake-key-of-drills', LANEKEEPER_HOME: home };
      const { code, stderr } = await runCommand(['drill', ...args, '--gateway'], { home, env });
      assert.equal(code, expected, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, mend);
    }
  });
});

describe('a long run', { concurrency: 2 }, () => {
  test('alternates the lanes by the switch alone, and writes what came of it so far', async (t) => {
    const home = await tempHome(t);
    const size = ['--minutes', '0.05', '--pause-ms', '5', '--concurrency', '3'];
    const long = ['--alternate', 'force', '--metrics-every', '0.015'];
    const { code, value, stderr } = await drill(home, ['soak', ...size, ...long]);
    assert.deepEqual(failing(value), []);
    assert.equal(code, 0, stderr);
    assert.equal(value.alternates, 'force');
    assert((value.lanes['zai'] ?? 0) > 0 && (value.lanes['anthropic'] ?? 0) > 0);
    const decisions = Object.keys(value.ledger?.decisions ?? {});
    assert.deepEqual(decisions.sort(), ['anthropic default', 'zai forced_model']);
    const records = await readRecords(home, value.exchanges);
    assert(records.every(({ model }) => /haiku/.test(model ?? '')));
    const folder = path.join(home, 'results');
    const [first] = (await readdir(folder)).filter((name) => name.startsWith('drill-')).sort();
    assert(first !== undefined);
    assert.match(first, /^drill-soak-\d{8}T\d{6}Z-001\.json$/);
    const snapshot = JSON.parse(await readFile(path.join(folder, first), 'utf8')) as Summary;
    assert.deepEqual(Object.keys(snapshot), Object.keys(value));
    assert.deepEqual([snapshot.final, value.final], [false, true]);
    assert(snapshot.exchanges > 0 && snapshot.exchanges < value.exchanges);
    assert(stderr.includes(`snapshot ${path.join(folder, first)}`));
    assert.match(stderr, /; SO FAR$/m);
  });

  for (const by of ['model', 'force'] as const) {
    test(`by ${by} over a running proxy leaves its switch as it was`, async (t) => {
      const { home } = await startProxyProcess(t);
      assert.equal((await readStatus(home)).force, false);
      const { code, value } = await drill(home, [
        'soak',
        '--count',
        '12',
        '--pause-ms',
        '0',
        '--alternate',
        by,
      ]);
      assert.deepEqual(failing(value), []);
      assert.equal(code, 0);
      assert.deepEqual(value.lanes, { anthropic: 6, zai: 6 });
      assert.equal(value.ledger?.decisions['zai forced_model'], 6);
      assert.equal((await readStatus(home)).force, false);
    });
  }
});
