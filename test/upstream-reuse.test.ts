/**
 * Upstream connections are used again, also after large requests, whose answer may come before the
 * word that their last bytes were accepted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRig } from './support/rig.ts';
import { sdkClient } from './support/sdk.ts';

test('one after another, large requests share one upstream connection', async (t) => {
  const rig = await startRig(t);
  const { client, close } = sdkClient({ route: { mode: 'gateway', proxyUrl: rig.proxy.url } });
  t.after(close);
  const count = 20;
  for (let i = 0; i < count; i += 1) {
    await client.messages.create({
      model: 'claude-sonnet-5-5',
      max_tokens: 16,
      messages: [{ role: 'user', content: `${i} ${'long text '.repeat(40_000)}` }],
    });
  }
  const connections = new Set(rig.twin.anthropic.requests().map(({ connection }) => connection));
  assert.equal(connections.size, 1);
  assert.ok((await rig.records(count)).every(({ intact, attempts }) => intact && attempts === 1));
});
