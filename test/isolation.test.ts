/**
 * Whose credential goes where: the harness of `verify isolation` finds nothing, it has looked everywhere,
 * and it finds what a lane that lets something through lets through. And a key of one lane in a request for
 * another is refused before a byte leaves.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type CanaryName, KINDS, mintCanaries } from '../src/cli/verify/isolation/canaries.ts';
import { judgeIsolation } from '../src/cli/verify/isolation/judge.ts';
import { filesOf } from '../src/cli/verify/isolation/places.ts';
import { makeScene } from '../src/cli/verify/isolation/process.ts';
import { evidenceOf, type IsolationRun } from '../src/cli/verify/isolation/run.ts';
import { laneShapes } from '../src/cli/verify/isolation/shapes.ts';
import { send, withStage } from '../src/cli/verify/isolation/stage.ts';
import type { AnomalyRecord } from '../src/ledger/record.ts';
import { createFinder } from '../src/session/secrets/finder.ts';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { exchangeOnce, type RequestParts } from './support/raw-exchange.ts';
import { startRig } from './support/rig.ts';

const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';
const IS_LINUX = process.platform === 'linux';

test('verify isolation finds no canary out of its place, and has looked everywhere', async (t) => {
  const home = await tempHome(t);
  const args = ['verify', 'isolation', '--count', '900', '--json', '--home', home];
  const { code, stdout, stderr } = await runCommand(args, { home });
  assert.equal(code, 0, stdout + stderr);
  const run = JSON.parse(stdout) as IsolationRun & { readonly ok: boolean };
  assert.deepEqual([run.ok, run.findings, run.leaks], [true, [], 0]);
  assert(run.exchanges > 900 && Object.keys(run.shapes).length > 80, String(run.exchanges));
  const places = new Map(run.places.map((place) => [place.place, place]));
  for (const [place, least] of [
    ['anthropic', 300],
    ['zai', 200],
    ['third', 50],
    ['elsewhere', 16],
    ['answers of anthropic', 300],
    ['answers of zai', 200],
    ['answers of third', 50],
    ['answers of elsewhere', 16],
    ['own errors', 100],
    ['rests at anthropic', 1],
    ['ledger', 2],
    ['anomalies', 2],
    ['body samples', 1],
    ['results and documents', 4],
    ['bundle', 1],
    ['stdout', 2],
    ['stderr', 2],
    ['control socket', 8],
    ['metrics', 2],
    ['output of commands', 8],
    ['env command', 1],
    ['command lines of processes', IS_LINUX ? 5 : 0],
    ['environment of processes', IS_LINUX ? 2 : 0],
    ['environment of processes, with .env', IS_LINUX ? 3 : 0],
  ] as const) {
    const searched = places.get(place)?.searched ?? 0;
    assert(searched >= least, `${place}: ${searched}`);
    if (least > 0) assert((places.get(place)?.bytes ?? 0) > 0, place);
  }
  const held = (place: string): readonly string[] => Object.keys(places.get(place)?.canaries ?? {});
  assert.deepEqual(held('zai').toSorted(), ['haikuPrompt', 'zaiKey']);
  assert.deepEqual(held('third').toSorted(), ['thirdKey', 'thirdKeyNew', 'thirdPrompt']);
  assert(!stdout.includes('sk-ant-') && !stdout.includes('canary-'), 'a canary is shown');
  const session = readFileSync(path.join(home, 'results', 'SESSION.json'), 'utf8');
  assert.match(session, /"name": ?"isolation",/);
  assert.match(session, /"verdict": ?"met"/);
});

test('a lane that lets something through is found by what arrived', async (t) => {
  const canaries = mintCanaries();
  let last = 0;
  const numbers = (): number => {
    last += 1;
    return last;
  };
  const evidence = await withStage(
    {
      name: 'leaky',
      root: await tempHome(t),
      canaries,
      header: 'x-api-key',
      zaiTakes: 'both',
      workers: 1,
      dotEnv: true,
      env: {},
      zaiBody: { user_id: 'keep' },
    },
    async (stage) => {
      await send(stage, numbers, laneShapes(canaries, 'each lane'), { ways: ['gateway'] });
      await stage.proxy.stop();
      return evidenceOf(stage, { told: [], problems: [], keyChangedAt: numbers() });
    },
  );
  const { findings, leaks } = judgeIsolation(evidence, canaries);
  assert.equal(leaks, 2);
  for (const name of ['account', 'device', 'session'] as const) {
    assert(findings.some((finding) => finding.startsWith(`${KINDS[name]} in a request at zai`)));
  }
  // Nothing else is wrong but what so few exchanges can not show.
  const others = findings.filter((finding) => !/ at zai \(|^no |^nothing found /.test(finding));
  assert.deepEqual(others, []);
});

test('a canary is found in every kind of file, and a dump by its name', async (t) => {
  const canaries = mintCanaries();
  const scene = makeScene(await tempHome(t), 'planted');
  const text = `a line\n{"detail":${JSON.stringify(canaries.sonnetPrompt)}}\n`;
  const planted: readonly (readonly [string, string, string | Buffer])[] = [
    ['home', 'logs/usage.jsonl', text],
    ['home', 'logs/usage.jsonl.1.gz', gzipSync(text)],
    ['home', 'logs/anomalies.jsonl', text],
    ['home', 'results/report.html', text],
    ['home', 'bundle/x.tgz', gzipSync(text)],
    ['work', 'anything', text],
    ['user', '.cache/x', text],
    ['tmp', 'x', text],
  ];
  for (const [folder, name, bytes] of planted) {
    const file = path.join(scene[folder as keyof typeof scene], name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
  const dumps = ['core', 'core.123', 'Heap.1.heapsnapshot', 'report.2026.json'];
  for (const name of dumps) writeFileSync(path.join(scene.work, name), '');
  const files = await filesOf({ scene });
  assert.deepEqual(files.dumps.map((name) => path.basename(name)).toSorted(), dumps.toSorted());
  const { findings } = judgeIsolation({ made: [], received: [], told: files.told }, canaries);
  for (const [folder, name] of planted) {
    const at = `${folder}/${name}, JSON`;
    assert(
      findings.some((finding) => finding.startsWith(KINDS.sonnetPrompt) && finding.endsWith(at)),
      at,
    );
  }
});

function holdsKey(bytes: Buffer, key: string): boolean {
  const finder = createFinder([{ name: 'zaiKey' satisfies CanaryName, value: key }]);
  return finder.known(bytes.toString('latin1')).length > 0;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
}

describe('a key of one lane in a request for another', () => {
  const zaiKey = `${'0123456789abcdef'.repeat(2)}.FakeKeyOfTests00`;
  const places: readonly { readonly name: string; readonly request: RequestParts }[] = [
    { name: 'x-api-key', request: { fields: { 'x-api-key': zaiKey } } },
    { name: 'authorization', request: { fields: { authorization: `Bearer ${zaiKey}` } } },
    { name: 'a cookie', request: { fields: { 'x-api-key': 'k', cookie: `a=1; key=${zaiKey}` } } },
    {
      name: 'a field of any name',
      request: { fields: { 'x-api-key': 'k', 'x-note': `see ${zaiKey}` } },
    },
    {
      name: 'the query',
      request: { path: `/v1/messages?key=${zaiKey}`, fields: { 'x-api-key': 'k' } },
    },
  ];
  for (const shape of ['connect', 'gateway', 'h2'] as const) {
    test(`is refused before a byte leaves, wherever it stands (${shape})`, async (t) => {
      const rig = await startRig(t, { twin: { zaiKey } });
      for (const [index, { name, request: parts }] of places.entries()) {
        const body = JSON.stringify({ model: SONNET, max_tokens: 9, messages: [] });
        const seen = await exchangeOnce(rig.proxy, rig.ca, shape, {
          ...parts,
          body: Buffer.from(body),
        });
        assert.deepEqual(
          [seen.status, seen.fields.get('x-lanekeeper-error')],
          [500, 'lane_isolation'],
          name,
        );
        assert(!holdsKey(seen.body, zaiKey), name);
        const record = (await rig.records(index + 1)).at(-1);
        assert.deepEqual(
          [record?.status, record?.lane, record?.err_type, record?.bytes_up, record?.intact],
          [500, 'anthropic', '5xx', 0, false],
          name,
        );
      }
      assert.equal(rig.twin.anthropic.requests().length, 0);
      assert.equal(rig.twin.anthropic.connections(), 0);
      const anomalies = await rig.anomalies();
      assert.deepEqual(
        anomalies.map(({ kind, lane }: AnomalyRecord) => [kind, lane]),
        places.map(() => ['lane_isolation', 'anthropic']),
      );
      for (const file of filesBelow(rig.home)) assert(!holdsKey(readFileSync(file), zaiKey), file);
    });
  }

  test('its own lane takes it: a client that uses the same key betrays nothing', async (t) => {
    const rig = await startRig(t, { twin: { zaiKey }, env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const body = JSON.stringify({
      model: HAIKU,
      max_tokens: 9,
      messages: [{ role: 'user', content: 'x' }],
    });
    const seen = await exchangeOnce(rig.proxy, rig.ca, 'gateway', {
      fields: { 'x-api-key': zaiKey },
      body: Buffer.from(body),
    });
    assert.equal(seen.status, 200);
    const [record] = await rig.records(1);
    assert.equal(record?.lane, 'zai');
  });
});
