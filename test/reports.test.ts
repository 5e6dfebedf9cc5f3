/**
 * The commands that read the ledger back, over the ledger of a real proxy with real traffic: what they
 * write is what was exchanged, they end as the contract says, and the built package has all they need.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { usageLine } from '../src/ledger/lines.ts';
import type { Costs } from '../src/reports/cost-types.ts';
import type { Metrics } from '../src/reports/metrics.ts';
import { type CommandResult, runCommand, startCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { madeRecords } from './support/made-ledger.ts';
import { exchangeOnce } from './support/raw-exchange.ts';
import { recomputeMetrics } from './support/recompute-metrics.ts';
import { startRig } from './support/rig.ts';

const ROOT = path.join(import.meta.dirname, '..');

function metricsIn(home: string): Metrics {
  return JSON.parse(readFileSync(path.join(home, 'results', 'METRICS.json'), 'utf8')) as Metrics;
}

function made(home: string, count = 400): void {
  const logs = path.join(home, 'logs');
  mkdirSync(logs, { recursive: true });
  const lines = [...madeRecords({ seed: 21, count })].map(usageLine);
  const half = count / 2;
  const first = `${lines.slice(0, half).join('\n')}\n`;
  writeFileSync(path.join(logs, 'usage-20261101T000000000Z.jsonl.gz'), gzipSync(first));
  writeFileSync(path.join(logs, 'usage.jsonl'), `${lines.slice(half).join('\n')}\n{"torn`);
}

test('what a proxy recorded is what is summarized and priced', async (t) => {
  const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
  const models = ['claude-haiku-4-5', 'claude-sonnet-5', 'claude-haiku-4-5', 'claude-unknown-1'];
  for (const model of models) {
    const body = {
      model,
      max_tokens: 9,
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    };
    const fields = { 'x-api-key': 'sk-ant-fake-reports', 'content-type': 'application/json' };
    await exchangeOnce(rig.proxy, rig.ca, 'gateway', {
      fields,
      body: Buffer.from(JSON.stringify(body)),
    });
  }
  const records = await rig.records(models.length);

  const { code, stdout, stderr } = await runCommand(['summarize'], { home: rig.home });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^All well: 4 exchanges, no error; 4 streams complete and intact\.\n/);
  const { generated, ...metrics } = metricsIn(rig.home);
  assert(Math.abs(Date.parse(generated) - Date.now()) < 600_000);
  assert.deepEqual(metrics, recomputeMetrics(path.join(rig.home, 'logs')));
  assert.deepEqual(
    Object.entries(metrics.by.lane)
      .map(([lane, group]) => [lane, group.exchanges])
      .sort(),
    [
      ['anthropic', 2],
      ['zai', 2],
    ],
  );
  assert.equal(metrics.by.decision['forced_model']?.exchanges, 2);
  const output = records.reduce((sum, record) => sum + (record.output_tokens ?? 0), 0);
  assert(output > 0);
  assert.equal(metrics.total.tokens.output, output);
  assert.match(readFileSync(path.join(rig.home, 'results', 'SUMMARY.md'), 'utf8'), /All well/);

  const priced = await runCommand(['cost', '--json'], { home: rig.home });
  const costs = JSON.parse(priced.stdout) as Costs;
  assert.deepEqual(
    costs.unknown.map(({ model, as }) => [model, as]),
    [['claude-unknown-1', 'billed']],
  );
  const zai = costs.lanes.find(({ lane }) => lane === 'zai');
  assert.equal(zai?.comparison?.exchanges, 2);
  assert((zai?.list?.dollars ?? 0) > 0);
});

describe('summarize', () => {
  test('prints the metrics, chooses, and keeps a snapshot each time', async (t) => {
    const home = await tempHome(t);
    made(home);
    const all = await runCommand(['summarize', '--json'], { home });
    assert.equal(all.code, 0, all.stderr);
    const metrics = JSON.parse(all.stdout) as Metrics;
    assert.deepEqual(metrics, metricsIn(home));
    assert.deepEqual([metrics.ledger.records, metrics.ledger.damaged], [400, 1]);

    const [session = ''] = [...madeRecords({ seed: 21, count: 1 })].map((it) => it.session ?? '');
    const since = metrics.ledger.from?.slice(0, 10) ?? '';
    const chosen = ['summarize', '--json', '--session', session, '--since', since];
    const some = JSON.parse((await runCommand(chosen, { home })).stdout) as Metrics;
    assert.equal(some.ledger.records, 400);
    const none = ['summarize', '--json', '--session', 'a session that never was'];
    const nothing = JSON.parse((await runCommand(none, { home })).stdout) as Metrics;
    assert.deepEqual([nothing.ledger.records, nothing.ledger.damaged], [0, 1]);

    const results = path.join(home, 'results');
    const snapshots = readdirSync(results).filter((name) => name.startsWith('METRICS-'));
    assert.equal(snapshots.length, 3);
    const pruned = await runCommand(['prune', '--keep', '1'], { home });
    assert.equal(pruned.code, 0);
    assert.match(
      pruned.stdout,
      /removed .*METRICS-.*\nremoved .*METRICS-.*\n2 removed, 1 kept in /,
    );
    const left = readdirSync(results).filter((name) => name.startsWith('METRICS-'));
    assert.deepEqual(left, snapshots.sort().slice(-1));
    assert(existsSync(path.join(results, 'METRICS.json')));
  });

  test('that is interrupted ends with 130 and leaves nothing behind', async (t) => {
    const home = await tempHome(t);
    const temporary = await tempHome(t);
    mkdirSync(path.join(home, 'logs'));
    // Nobody writes into it: reading it never ends.
    await promisify(execFile)('mkfifo', [path.join(home, 'logs', 'usage.jsonl')]);
    const { child, done } = startCommand(['summarize'], { home, env: { TMPDIR: temporary } });
    while (readdirSync(temporary).length === 0) {
      assert.equal(child.exitCode, null);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill('SIGINT');
    assert.equal((await done).code, 130);
    assert.deepEqual([readdirSync(temporary), readdirSync(home)], [[], ['logs']]);
  });

  test('leaves no temporary file behind', async (t) => {
    const home = await tempHome(t);
    made(home);
    const temporary = await tempHome(t);
    await runCommand(['summarize'], { home, env: { TMPDIR: temporary } });
    assert.deepEqual(readdirSync(temporary), []);
  });
});

describe('without a ledger', () => {
  for (const command of ['summarize', 'cost', 'report']) {
    test(`${command} says what is missing, writes nothing and ends with 1`, async (t) => {
      const home = await tempHome(t);
      const { code, stdout, stderr } = await runCommand([command], { home });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^lanekeeper: there is no ledger at .*usage\.jsonl: .*--home\n$/);
      assert.deepEqual(readdirSync(home), []);
    });
  }
});

describe('wrong usage ends with 2, and names what is meant', () => {
  for (const [args, words] of [
    [['summarize', '--since', 'yesterday'], /90m, 24h, 7d/],
    [['summarize', '--since', '2026-13-01'], /2026-11-26/],
    [['summarize', '--session', ''], /id of a session/],
    [['prune', '--keep', '-1'], /from 0 to/],
    [['cost', '--cache-ttl', '2h'], /5m, 1h/],
  ] as const) {
    test(args.join(' '), async (t) => {
      const { code, stderr } = await runCommand(args, { home: await tempHome(t) });
      assert.equal(code, 2, stderr);
      assert.match(stderr, words);
    });
  }
});

describe('cost', () => {
  test('takes prices of one’s own from the home, and refuses bad ones with 78', async (t) => {
    const home = await tempHome(t);
    made(home);
    const run = (...more: string[]): Promise<CommandResult> =>
      runCommand(['cost', '--json', ...more], { home });
    const before = JSON.parse((await run()).stdout) as Costs;
    const file = path.join(home, 'prices.json');
    const row = { models: ['glm-4.5-air'], from: null, source: 'test' };
    const prices = { input: 0, output: 0, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0 };
    writeFileSync(file, JSON.stringify({ version: 'free', prices: [{ ...row, ...prices }] }));
    const after = JSON.parse((await run()).stdout) as Costs;
    assert.deepEqual(after.prices.own, { version: 'free', file });
    const zai = ({ lanes }: Costs) => lanes.find(({ lane }) => lane === 'zai')?.list?.dollars;
    assert((zai(before) ?? 0) > 0);
    assert.equal(zai(after), 0);

    const bad = path.join(home, 'bad.json');
    writeFileSync(bad, '{}');
    const refused = await run('--prices', bad);
    assert.equal(refused.code, 78);
    assert.match(refused.stderr, /bad\.json: version: .*docs\/reports\.md/s);
  });

  test('works where the configuration is not good, and says so', async (t) => {
    const home = await tempHome(t);
    made(home);
    const env = { FORCE_HAIKU_TO_ZAI: '1' };
    const { code, stdout, stderr } = await runCommand(['cost'], { home, env });
    assert.equal(code, 0);
    assert.match(stderr, /anthropic is taken for the default lane/);
    assert.match(stdout, /Routing to zai saved an estimated/);
  });

  test('says so where a plan is given for a lane that nothing took', async (t) => {
    const home = await tempHome(t);
    made(home);
    const { code, stderr } = await runCommand(['cost', '--plan', 'zia'], { home });
    assert.equal(code, 0);
    assert.match(
      stderr,
      /--plan zia: no exchange took that lane; those in the ledger: anthropic, zai/,
    );
  });
});

test('the queries of the documentation run by hand', async (t) => {
  const home = await tempHome(t);
  made(home);
  const text = readFileSync(path.join(ROOT, 'docs', 'reports.md'), 'utf8');
  const [, block = ''] = /```sql\n(.*?)```/s.exec(text) ?? [];
  const folder = path.join(ROOT, 'src', 'reports', 'sql');
  // What the command line of DuckDB does with `.read`, and relative to its working directory.
  const script = block
    .replaceAll('/home/me/.lanekeeper', home)
    .replace(
      /^.*anomalies\.jsonl.*$/m,
      `SET VARIABLE anomaly_files = ['${home}/logs/usage.jsonl'];`,
    )
    .replace('../prices.json', path.join(folder, '..', 'prices.json'))
    .replace(/^\.read (\S+)$/gm, (_, name: string) =>
      readFileSync(path.join(folder, name), 'utf8'),
    );
  assert.doesNotMatch(script, /^\.read/m);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  t.after(() => {
    connection.closeSync();
    instance.closeSync();
  });
  await connection.run(script);
  // Of many statements the first rows are given; the last query is run once more to see its own.
  const query = readFileSync(path.join(folder, 'cost.sql'), 'utf8');
  const rows = (await connection.runAndReadAll(query)).getRowObjectsJS();
  const charged = rows.filter(({ kind }) => kind === 'charged');
  assert.deepEqual([...new Set(charged.map(({ lane }) => lane))], ['anthropic', 'zai']);
});

test('the built package reports as the checkout does', async (t) => {
  const folder = await tempHome(t);
  for (const name of ['src', 'bin', 'scripts', 'package.json']) {
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  const run = promisify(execFile);
  const bin = path.join(ROOT, 'node_modules', '.bin');
  const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: folder };
  await run('npm', ['run', '--silent', 'build'], { cwd: folder, env });
  const home = await tempHome(t);
  made(home);
  const main = path.join(folder, 'dist', 'cli', 'main.js');
  for (const command of ['summarize', 'cost', 'report']) {
    await run(process.execPath, [main, command, '--home', home], { cwd: home, env });
  }
  assert.equal(metricsIn(home).ledger.records, 400);
  const page = readFileSync(path.join(home, 'results', 'report.html'), 'utf8');
  assert.match(page, /--paper:.*<figure>/s);
});
