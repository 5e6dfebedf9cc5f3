/**
 * The bound on connections, and a cut inside TLS that only a reset can tell.
 */
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { CLIENT_CONNECTIONS_MAX } from '../core/limits.ts';
import type { Inbound } from '../core/ports.ts';
import { createEdge } from './edge.ts';
import {
  answerHead,
  certificate,
  connect,
  connectTls,
  HOST,
  listen,
  rawClient,
  startEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };

test('a connection past the bound is answered 503 and closed', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  // Sockets that never connected stand for open ones: real ones would be bounded by the system first.
  const idle = Array.from({ length: CLIENT_CONNECTIONS_MAX }, () => new net.Socket());
  for (const socket of idle) edge.edge.accept(socket);
  assert.equal(edge.edge.stats().connections, CLIENT_CONNECTIONS_MAX);
  const client = await connect(edge.port);
  const { text, error } = await client.ended();
  assert.match(text, /^HTTP\/1.1 503 [\s\S]*x-lanekeeper-error: too_many_connections\r\n/);
  assert.equal(error, null);
  client.socket.destroy();
});

test('inside TLS too, a cut answer that only the close delimits is reset', LIMIT, async (t) => {
  const asked = Promise.withResolvers<Inbound>();
  const closed = Promise.withResolvers<string>();
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        inbound.respond(answerHead(200, [], { kind: 'close' }));
        inbound.write(Buffer.from('part of it'), null);
        asked.resolve(inbound);
      }).closed.then(({ delivery }) => closed.resolve(delivery.how));
    },
  });
  t.after(() => edge.close());
  const socket = await connectTls(edge);
  const client = rawClient(socket);
  socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await client.until('part of it');
  (await asked.promise).cut();
  const { error } = await client.ended();
  assert.equal(error, 'ECONNRESET');
  assert.equal(await closed.promise, 'cut');
});

test('an edge without connections is drained at once', LIMIT, async () => {
  await certificate();
  const edge = createEdge({
    settings: () => assert.fail('no connection'),
    onExchange: () => assert.fail('no exchange'),
    log: { warn: () => assert.fail('nothing to say') },
    version: '1',
  });
  edge.drain();
  await edge.drained();
  edge.destroy();
});
