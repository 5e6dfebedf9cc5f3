/**
 * Request bodies that come slowly, or not at all: slow is served, silence is bounded, and a client
 * that is made to wait is not blamed for it.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type MockTime, mockTime } from '../../test/support/mock-time.ts';
import { CLIENT_BODY_IDLE_MS_MAX } from '../core/limits.ts';
import type { Inbound } from '../core/ports.ts';
import {
  answerHead,
  connect,
  type Listening,
  listen,
  type RawClient,
  startEdge,
  type TestEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 20_000 };
const HEAD = 'POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n';

interface Scene {
  readonly edge: TestEdge;
  readonly client: RawClient;
  readonly inbound: Inbound;
  readonly heard: Listening;
  readonly time: MockTime;
  /** Resolves once so many payload bytes came. */
  received(count: number): Promise<void>;
}

/** A request whose body has begun with one byte; its answer is given when it has ended. */
async function begun(
  t: TestContext,
  onBegin: (inbound: Inbound) => void = () => {},
): Promise<Scene> {
  const time = mockTime(t);
  const opened = Promise.withResolvers<{ inbound: Inbound; heard: Listening }>();
  const edge = await startEdge({
    onExchange(inbound) {
      const heard = listen(inbound, () => {
        inbound.respond(answerHead(200, [], { kind: 'length', length: 2 }));
        inbound.write(Buffer.from('ok'), null);
        inbound.end([]);
      });
      opened.resolve({ inbound, heard });
      onBegin(inbound);
    },
  });
  t.after(() => {
    time.reset();
    return edge.close();
  });
  const client = await connect(edge.port);
  t.after(() => client.socket.destroy());
  client.socket.write(`${HEAD}a`);
  const { inbound, heard } = await opened.promise;
  const received = async (count: number): Promise<void> => {
    while (heard.received() < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { edge, client, inbound, heard, time, received };
}

test('a body that falls silent is answered 408, and its exchange ends', LIMIT, async (t) => {
  const { client, heard, received, edge, time } = await begun(t);
  await received(1);
  time.tick(CLIENT_BODY_IDLE_MS_MAX - 1);
  assert.equal(client.text, '');
  time.tick(1);
  const { text, error } = await client.ended();
  assert.match(text, /^HTTP\/1.1 408 [\s\S]*x-lanekeeper-error: request_timeout\r\n/);
  assert.equal(error, null);
  assert.equal((await heard.closed).delivery.how, 'gone');
  client.socket.destroy();
  await edge.edge.drained();
  assert.equal(edge.edge.stats().exchanges, 0);
});

test('a body that comes byte by byte is served, however long it takes', LIMIT, async (t) => {
  const { client, received, time } = await begun(t);
  for (const [index, byte] of ['b', 'c'].entries()) {
    await received(index + 1);
    time.tick(CLIENT_BODY_IDLE_MS_MAX - 1);
    client.socket.write(byte);
  }
  assert.match(await client.until('ok'), /^HTTP\/1.1 200 /);
});

test('a client that the relay makes wait is not timed out', LIMIT, async (t) => {
  const { client, inbound, received, time } = await begun(t, (held) => held.pause());
  await received(1);
  for (let round = 0; round < 3; round += 1) time.tick(CLIENT_BODY_IDLE_MS_MAX);
  assert.equal(client.text, '');
  inbound.resume();
  client.socket.write('bc');
  assert.match(await client.until('ok'), /^HTTP\/1.1 200 /);
});

test('after the body nothing runs out: the answer may take its time', LIMIT, async (t) => {
  const opened = Promise.withResolvers<Inbound>();
  const time = mockTime(t);
  const edge = await startEdge({
    onExchange: (inbound) => void listen(inbound, () => opened.resolve(inbound)),
  });
  t.after(() => {
    time.reset();
    return edge.close();
  });
  const client = await connect(edge.port);
  t.after(() => client.socket.destroy());
  client.socket.write(`${HEAD}a`);
  client.socket.write('bc');
  const inbound = await opened.promise;
  time.tick(2 * CLIENT_BODY_IDLE_MS_MAX);
  inbound.respond(answerHead(200, [], { kind: 'length', length: 2 }));
  inbound.write(Buffer.from('ok'), null);
  inbound.end([]);
  assert.match(await client.until('ok'), /^HTTP\/1.1 200 /);
});
