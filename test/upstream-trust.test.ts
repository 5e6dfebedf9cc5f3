/**
 * An upstream's certificate is always verified: also where the person's environment tells Node not to, as
 * many a guide for a corporate proxy does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTwin } from '../src/twin/index.ts';
import { startProxyProcess } from './support/proxy-process.ts';
import { askHaiku } from './support/trust.ts';

const LIMIT = { timeout: 60_000 };

test('NODE_TLS_REJECT_UNAUTHORIZED=0 turns no check off', LIMIT, async (t) => {
  const twin = await startTwin();
  t.after(() => twin.close());
  const stranger = await startTwin();
  t.after(() => stranger.close());
  const { origin } = twin.anthropic;
  const env = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
  const wrong = { anthropic: { origin, ca: stranger.anthropic.ca }, zai: twin.zai };
  const proxy = await startProxyProcess(t, { twin: wrong, env });
  const refused = await askHaiku(proxy);
  assert.equal(refused.status, 502);
  assert.equal(refused.headers['x-lanekeeper-error'], 'upstream_certificate');
  assert.equal(twin.anthropic.requests().length, 0);
  // The same upstream with its own authority.
  const right = await startProxyProcess(t, { twin, env });
  assert.equal((await askHaiku(right)).status, 200);
});
