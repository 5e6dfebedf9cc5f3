import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTwin, type TwinEndpoint } from '../../src/twin/index.ts';
import type { Cleanup } from './home.ts';
import { ConnectRefused, rawConnect } from './raw-client.ts';
import { tunnelProxy } from './tunnel-proxy.ts';

const TARGET = 'api.anthropic.com:443';

async function anthropic(context: Cleanup): Promise<TwinEndpoint> {
  const twin = await startTwin();
  context.after(() => twin.close());
  return twin.anthropic;
}

const HELLO = 'GET /api/hello HTTP/1.1\r\nHost: api.anthropic.com\r\nX-Case: Kept\r\n\r\n';

test('bytes go out as they are and answers come back byte for byte', async (t) => {
  const twin = await anthropic(t);
  const tls = { ca: twin.ca, servername: 'localhost' };
  const connection = await rawConnect({ to: twin, tls });
  await connection.send(HELLO);
  const answer = await connection.readAnswer();
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), '{"message":"hello"}');
  assert(answer.fields.some(([name]) => name === 'CF-RAY'));
  const request = await twin.waitFor(() => true);
  assert.deepEqual(request.rawHeaders, [
    ['Host', 'api.anthropic.com'],
    ['X-Case', 'Kept'],
  ]);
  connection.destroy();
});

test('a chunked answer is read as wire bytes and as payload', async (t) => {
  const twin = await anthropic(t);
  const connection = await rawConnect({ to: twin, tls: { ca: twin.ca, servername: 'localhost' } });
  const body = JSON.stringify({
    model: 'claude-haiku-5-5',
    max_tokens: 9,
    stream: true,
    messages: [{ role: 'user', content: 'hi' }],
  });
  await connection.send(
    `POST /v1/messages HTTP/1.1\r\nHost: x\r\nx-api-key: k\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const answer = await connection.readAnswer('POST');
  assert(answer.wire.toString().endsWith('\r\n0\r\n\r\n'));
  assert(answer.body.toString().endsWith('event: message_stop\ndata: {"type":"message_stop"}\n\n'));
  connection.destroy();
});

for (const early of [false, true]) {
  test(`TLS through CONNECT, ${early ? 'with' : 'without'} early bytes`, async (t) => {
    const twin = await anthropic(t);
    const proxy = await tunnelProxy(t, TARGET, twin);
    const connection = await rawConnect({
      to: proxy,
      connect: { target: TARGET, early },
      tls: { ca: twin.ca, servername: 'localhost', alpn: ['http/1.1'] },
    });
    assert.equal(connection.connectAnswer?.status, 200);
    assert.equal((proxy.early[0] ?? 0) > 0, early);
    await connection.send(HELLO);
    assert.equal((await connection.readAnswer()).status, 200);
    connection.destroy();
  });
}

test('a refused CONNECT throws with its answer', async (t) => {
  const twin = await anthropic(t);
  const proxy = await tunnelProxy(t, TARGET, twin);
  const refused = rawConnect({ to: proxy, connect: { target: 'elsewhere.test:443' } });
  await assert.rejects(refused, (error) => {
    assert(error instanceof ConnectRefused);
    assert.equal(error.answer.status, 403);
    return true;
  });
});
