import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';

import { listen } from '../listen.ts';
import { planOf, requestOf } from './plan.ts';
import { loadSdkClients } from './sdk-client.ts';
import type { Heard } from './types.ts';

interface Scene {
  after(run: () => Promise<void> | void): void;
}

const STOP = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const REQUEST = requestOf(planOf('burst'), 0, true);

/** What the SDK makes of one answer. */
async function hear(t: Scene, answer: (response: http.ServerResponse) => void): Promise<Heard> {
  const server = http.createServer((request, response) => {
    request.resume();
    answer(response);
  });
  const port = await listen(server, '127.0.0.1', 0);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return ask(t, port);
}

async function ask(t: Scene, port: number): Promise<Heard> {
  const clients = await loadSdkClients();
  assert(clients !== null, 'the SDK is a development dependency');
  const client = clients({
    url: new URL(`http://127.0.0.1:${port}`),
    via: 'gateway',
    ca: null,
    credential: ['x-api-key', 'fake-canary'],
    session: 'session',
    stallMs: 2_000,
  });
  t.after(() => client.close());
  return client.ask(REQUEST);
}

test('the bytes beneath the SDK are counted and hashed, to their end', async (t) => {
  const heard = await hear(t, (response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.end(STOP);
  });
  assert.deepEqual(
    [heard.status, heard.bytes, heard.failure, heard.closed, heard.sent],
    [200, STOP.length, null, true, true],
  );
  assert.match(heard.sha256 ?? '', /^[0-9a-f]{64}$/);
});

test('a stream that breaks off is a cut', async (t) => {
  const heard = await hear(t, (response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.write('event: ping\ndata: {"type":"ping"}\n\n', () => response.destroy());
  });
  assert.equal(heard.failure, 'cut');
  assert.equal(heard.ended, false);
});

test('an error answer that came whole is an answer', async (t) => {
  const heard = await hear(t, (response) => {
    response.statusCode = 429;
    response.setHeader('content-type', 'application/json');
    response.end('{"type":"error","error":{"type":"rate_limit_error","message":"m"}}');
  });
  assert.deepEqual([heard.status, heard.failure], [429, null]);
});

test('a connection that is reset before the head is a reset; one that is refused no exchange', async (t) => {
  const reset = await hear(t, (response) => response.socket?.resetAndDestroy());
  assert.deepEqual([reset.failure, reset.sent], ['reset', true]);
  const server = http.createServer();
  const port = await listen(server, '127.0.0.1', 0);
  await new Promise((resolve) => server.close(resolve));
  const refused = await ask(t, port);
  assert.deepEqual([refused.failure, refused.sent], ['connect', false]);
});
