import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { describeConfig, diffConfig, upstreamUrl } from './describe.ts';
import { KEY, load } from './fixtures.test.ts';

const TOKEN = 'CANARY-token-of-nobody';

test('the description holds the facts and no secret', async (t) => {
  const config = await load(t, { env: { ZAI_API_KEY: KEY, LANEKEEPER_TOKEN: TOKEN } });
  const facts = JSON.parse(JSON.stringify(describeConfig(config))) as Record<string, unknown>;
  assert.doesNotMatch(JSON.stringify(facts), /CANARY/);
  assert.deepEqual(facts['listen'], { host: '127.0.0.1', port: 8082, token: 'set' });
  const lanes = facts['lanes'] as Record<string, Record<string, unknown>>;
  assert.equal(lanes['zai']?.['upstream'], 'https://api.z.ai/api/anthropic');
  assert.equal(lanes['zai']?.['header_mode'], 'x-api-key');
});

test('the same configuration has no differences', async (t) => {
  const env = { ZAI_API_KEY: KEY, LANEKEEPER_TOKEN: TOKEN, LANEKEEPER_HOME: '/home/of/nobody' };
  assert.deepEqual(diffConfig(await load(t, { env }), await load(t, { env })), []);
});

test('differences are named, and those that need a restart say so', async (t) => {
  const home = '/home/of/nobody';
  const base = { ZAI_API_KEY: KEY, LANEKEEPER_TOKEN: TOKEN, LANEKEEPER_HOME: home };
  const before = await load(t, { env: base });
  const changed = async (env: NodeJS.ProcessEnv) =>
    diffConfig(before, await load(t, { env: { ...base, ...env } }));
  assert.deepEqual(await changed({ MITM_PORT: '9' }), ['listen.port (needs a restart)']);
  assert.deepEqual(await changed({ ZAI_MODEL: 'x' }), ['lanes.zai.models']);
  assert.deepEqual(await changed({ ZAI_HEADER_MODE: 'authorization' }), ['lanes.zai.header_mode']);
  assert.deepEqual(await changed({ ZAI_API_KEY: `${KEY}2` }), ['lanes.zai.credentials']);
  assert.deepEqual(await changed({ LANEKEEPER_TOKEN: `${TOKEN}2` }), ['listen.token']);
  assert.deepEqual(await changed({ OFFLOAD_PAUSED: '1', MITM_HTTP2: '1' }), ['http2', 'paused']);
  assert.deepEqual(await changed({ ZAI_API_KEY: '' }), ['routes', 'force_lane', 'lanes.zai']);
});

test('the URL of an upstream is as people write it', async (t) => {
  const yaml = `lanes:
  a: { upstream: "https://[::1]:8443/x", credentials: { env: A_KEY } }
  b: { upstream: "http://127.0.0.1:80", credentials: { env: A_KEY } }`;
  const { lanes } = await load(t, { yaml, env: { A_KEY: KEY } });
  assert.equal(upstreamUrl(lanes.get('a') ?? assert.fail()), 'https://[::1]:8443/x');
  assert.equal(upstreamUrl(lanes.get('b') ?? assert.fail()), 'http://127.0.0.1');
});

test('where tunnels may lead is described, and a change of it named', async (t) => {
  const before = await load(t, {});
  assert.deepEqual(describeConfig(before)['tunnels'], { private: 'allow', metadata: 'refuse' });
  const after = await load(t, { yaml: 'tunnels: { private: refuse }' });
  assert.deepEqual(after.tunnels, { private: 'refuse', metadata: 'refuse' });
  assert.deepEqual(
    diffConfig(before, after).filter((name) => name.startsWith('tunnels')),
    ['tunnels.private'],
  );
});
