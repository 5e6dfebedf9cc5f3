import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { loadConfig } from '../config/load.ts';
import { startTwin } from '../twin/index.ts';
import { drillConfiguration } from './configuration.ts';

test('every lane leads to the twin, with the twin’s key; the user’s routes stay', async (t) => {
  const twin = await startTwin();
  t.after(() => twin.close());
  const folder = await mkdtemp(join(tmpdir(), 'lk-drill-'));
  t.after(() => rm(folder, { recursive: true }));
  const own = {
    intercept: ['gateway.example.org'],
    http2: 'never',
    lanes: {
      anthropic: { upstream: 'https://gateway.example.org', credentials: 'passthrough' },
      glm: { upstream: 'https://glm.example.org/v2', credentials: { env: 'GLM_KEY' } },
    },
    routes: [{ name: 'all', when: { model: '*sonnet*' }, lane: 'glm' }],
  } as const;
  const { text, env } = drillConfiguration(
    twin,
    { ...own, intercept: [...own.intercept], routes: [...own.routes] },
    'ca.pem',
  );
  writeFileSync(join(folder, 'ca.pem'), twin.anthropic.ca);
  writeFileSync(join(folder, 'drill.yaml'), text);
  const config = await loadConfig({
    cwd: folder,
    env: { HOME: folder, ...env },
    configFile: join(folder, 'drill.yaml'),
  });
  assert.deepEqual(env, { ZAI_API_KEY: twin.zai.key, GLM_KEY: twin.zai.key });
  const ports = new Map([...config.lanes].map(([name, lane]) => [name, lane.upstream.port]));
  assert.equal(ports.get('anthropic'), twin.anthropic.port);
  assert.equal(ports.get('zai'), twin.zai.port);
  assert.equal(ports.get('glm'), twin.zai.port);
  assert.equal(config.http2, 'never');
  assert.equal(config.listen.port, 0);
  assert.deepEqual(config.intercept, ['api.anthropic.com']);
  assert.deepEqual(
    config.routes.map((route) => route.decision),
    ['rule:all'],
  );
});
