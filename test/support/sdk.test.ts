import assert from 'node:assert/strict';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { mintServer } from '../../src/pki/authority.ts';
import { startTwin } from '../../src/twin/index.ts';
import { sdkClient } from './sdk.ts';
import { tunnelProxy } from './tunnel-proxy.ts';

const HELLO = {
  model: 'claude-haiku-5-5',
  max_tokens: 64,
  messages: [{ role: 'user' as const, content: 'hello' }],
};

for (const protocol of ['h1', 'h2'] as const) {
  test(`the SDK reaches the twin through CONNECT over ${protocol}`, async (t) => {
    const host = 'api.anthropic.com';
    const certificate = await mintServer({ names: [host], ips: [], now: new Date() });
    const twin = await startTwin({ certificate });
    t.after(() => twin.close());
    const proxy = await tunnelProxy(t, `${host}:443`, twin.anthropic);
    const { client, close } = sdkClient({
      route: {
        mode: 'connect',
        proxyUrl: `http://127.0.0.1:${proxy.port}`,
        ca: twin.anthropic.ca,
      },
      protocol,
    });
    t.after(close);
    const message = await client.messages.create(HELLO);
    assert.equal(message.content[0]?.type, 'text');
    assert.equal(twin.anthropic.requests()[0]?.protocol, protocol);
  });
}

test('the SDK speaks h2c to a gateway', async () => {
  const server = http2.createServer();
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(JSON.stringify({ path: headers[':path'] }));
  });
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const { client, close } = sdkClient({
    route: { mode: 'gateway', proxyUrl: `http://127.0.0.1:${port}` },
    protocol: 'h2',
  });
  const answer: unknown = await client.messages.create(HELLO);
  assert.equal((answer as { path: string }).path, '/v1/messages');
  await close();
  for (const session of sessions) session.destroy();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
});
