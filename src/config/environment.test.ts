import { strict as assert } from 'node:assert';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { reveal } from '../core/secret.ts';
import { resolveHome } from './environment.ts';
import { KEY, load, problemOf, problemsOf, workingDirectory } from './fixtures.test.ts';
import { loadConfig, readDotEnv } from './load.ts';

const SWITCHES = [
  'FORCE_HAIKU_TO_ZAI',
  'MITM_FORCE_H1',
  'MITM_HTTP2',
  'MITM_ENABLE_BACKOFF',
  'MITM_FILTER_CHAIN',
  'ENABLE_BODY_TEE',
  'OFFLOAD_PAUSED',
] as const;

test('a switch is 1 or 0, empty is unset, and anything else is refused by name', async (t) => {
  for (const name of SWITCHES) {
    for (const value of ['yes', 'true', ' 1', '2', '01']) {
      const problem = await problemOf(t, { env: { [name]: value } });
      assert.equal(problem.variable, name);
      assert.match(problem.message, /must be 1 or 0/);
      assert.equal(problem.file, null);
    }
    await load(t, { env: { [name]: '0' } });
    await load(t, { env: { [name]: '' } });
  }
});

test('each switch does what it is named for', async (t) => {
  const on = await load(t, {
    env: {
      ZAI_API_KEY: KEY,
      FORCE_HAIKU_TO_ZAI: '1',
      MITM_ENABLE_BACKOFF: '1',
      MITM_FILTER_CHAIN: '1',
      ENABLE_BODY_TEE: '1',
      OFFLOAD_PAUSED: '1',
    },
  });
  const off = await load(t);
  for (const name of ['forceHaiku', 'backoff', 'filterChain', 'bodyTee', 'paused'] as const) {
    assert.equal(on[name], true);
    assert.equal(off[name], false);
  }
});

test('the protocol towards upstreams is one setting behind two switches', async (t) => {
  const http2 = async (env: NodeJS.ProcessEnv, yaml?: string) =>
    (await load(t, yaml === undefined ? { env } : { env, yaml })).http2;
  assert.equal(await http2({}), 'follow');
  assert.equal(await http2({ MITM_FORCE_H1: '1' }), 'never');
  assert.equal(await http2({ MITM_HTTP2: '1' }), 'always');
  assert.equal(await http2({ MITM_FORCE_H1: '0', MITM_HTTP2: '1' }), 'always');
  assert.equal(await http2({ MITM_HTTP2: '1' }, 'http2: never'), 'always');
  assert.equal(await http2({}, 'http2: never'), 'never');
  assert.equal(await http2({ MITM_FORCE_H1: '' }, 'http2: never'), 'never');
  assert.equal(await http2({ MITM_FORCE_H1: '0' }, 'http2: never'), 'follow');
  assert.equal(await http2({ MITM_HTTP2: '0' }, 'http2: always'), 'follow');
  const problem = await problemOf(t, { env: { MITM_FORCE_H1: '1', MITM_HTTP2: '1' } });
  assert.match(problem.message, /contradicts MITM_HTTP2/);
});

test('MITM_PORT is a number from 0 to 65535', async (t) => {
  for (const port of ['0', '1', '65535']) {
    assert.equal((await load(t, { env: { MITM_PORT: port } })).listen.port, Number(port));
  }
  for (const port of ['65536', '-1', '80.5', '8e2', '0x50', ' 80', 'http']) {
    assert.equal((await problemOf(t, { env: { MITM_PORT: port } })).variable, 'MITM_PORT');
  }
});

test('ZAI_HEADER_MODE and ZAI_MODEL steer the lane zai, over the file', async (t) => {
  const zai = async (env: NodeJS.ProcessEnv, yaml?: string) => {
    const setting = { env: { ZAI_API_KEY: KEY, ...env } };
    const config = await load(t, yaml === undefined ? setting : { ...setting, yaml });
    const lane = config.lanes.get('zai');
    assert.ok(lane?.credentials.kind === 'key');
    return { header: lane.credentials.header, models: lane.models };
  };
  const yaml = `lanes: { zai: { upstream: "https://z.example/x",
    credentials: { env: ZAI_API_KEY, header: authorization },
    models: { "*opus*": glm-o, "*Haiku*": glm-h } } }`;
  assert.deepEqual(await zai({}), { header: 'x-api-key', models: [['*haiku*', 'glm-4.5-air']] });
  assert.equal((await zai({ ZAI_HEADER_MODE: 'authorization' })).header, 'authorization');
  assert.deepEqual((await zai({ ZAI_MODEL: 'glm-9' })).models, [['*haiku*', 'glm-9']]);
  assert.deepEqual((await zai({ ZAI_MODEL: '' })).models, []);
  assert.equal((await zai({}, yaml)).header, 'authorization');
  assert.equal((await zai({ ZAI_HEADER_MODE: 'x-api-key' }, yaml)).header, 'x-api-key');
  const overFile = (await zai({ ZAI_MODEL: 'glm-9' }, yaml)).models;
  assert.deepEqual(overFile, [
    ['*haiku*', 'glm-9'],
    ['*opus*', 'glm-o'],
  ]);
  assert.deepEqual((await zai({ ZAI_MODEL: '' }, yaml)).models, [['*opus*', 'glm-o']]);
});

test('values that are no header mode or model id are refused', async (t) => {
  for (const value of ['bearer', 'X-Api-Key', 'x-api-key ']) {
    const problem = await problemOf(t, { env: { ZAI_HEADER_MODE: value } });
    assert.equal(problem.variable, 'ZAI_HEADER_MODE');
  }
  for (const value of ['glm 4', 'a"b', 'a\\b', 'x'.repeat(300), 'glm\n']) {
    assert.equal((await problemOf(t, { env: { ZAI_MODEL: value } })).variable, 'ZAI_MODEL');
  }
});

test('a key that could not travel in a header is refused, and not shown', async (t) => {
  for (const value of [`${KEY} `, `${KEY}\n`, `"${KEY}" x`, `${KEY}é`]) {
    const problem = await problemOf(t, { env: { ZAI_API_KEY: value, FORCE_HAIKU_TO_ZAI: '1' } });
    assert.equal(problem.variable, 'ZAI_API_KEY');
    assert.doesNotMatch(JSON.stringify(problem), /CANARY/);
  }
});

test('.env counts, but never over what is set, be it empty', async (t) => {
  const files = {
    '.env': `# keys\nZAI_API_KEY="${KEY}"\nexport MITM_PORT=9001 # here\nFORCE_HAIKU_TO_ZAI=1\n`,
  };
  const config = await load(t, { files });
  assert.deepEqual([config.listen.port, config.forceHaiku, config.forceLane], [9001, true, 'zai']);
  const { credentials } = config.lanes.get('zai') ?? assert.fail();
  assert.ok(credentials.kind === 'key');
  assert.equal(reveal(credentials.secret), KEY);
  const env = { MITM_PORT: '9002', ZAI_API_KEY: '', FORCE_HAIKU_TO_ZAI: '' };
  const overridden = await load(t, { files, env });
  assert.deepEqual([overridden.listen.port, overridden.lanes.has('zai')], [9002, false]);
});

test('a .env that is there but can not be read is a problem; none is not', async (t) => {
  const cwd = workingDirectory(t);
  assert.deepEqual(readDotEnv(cwd), { variables: {}, problem: null });
  mkdirSync(join(cwd, '.env'));
  await assert.rejects(loadConfig({ cwd, env: {} }), /\.env: can not be read \(EISDIR\)/);
});

test('the home is the option, else LANEKEEPER_HOME, else ~/.lanekeeper', () => {
  const env = { LANEKEEPER_HOME: 'state' };
  assert.equal(resolveHome('here', env, '/folder', '/user'), '/folder/here');
  assert.equal(resolveHome('.', env, '/work', '/user'), '/work');
  assert.equal(resolveHome(undefined, env, '/folder', '/user'), '/folder/state');
  assert.equal(resolveHome(undefined, { LANEKEEPER_HOME: '' }, '/w', '/user'), '/user/.lanekeeper');
  assert.equal(resolveHome(undefined, { LANEKEEPER_HOME: '~/x' }, '/w', '/user'), '/user/x');
});

test('problems of several variables are reported together', async (t) => {
  const env = { MITM_PORT: 'x', OFFLOAD_PAUSED: 'x', ZAI_HEADER_MODE: 'x' };
  const names = (await problemsOf(t, { env })).map(({ variable }) => variable);
  assert.deepEqual(names.sort(), Object.keys(env).sort());
});
