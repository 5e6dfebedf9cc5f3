/**
 * Draining, bounds on connections, and what `destroy` leaves behind.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';
import { DRAIN_IDLE_MS } from '../core/limits.ts';
import type { Inbound } from '../core/ports.ts';
import {
  answer,
  answerHead,
  connect,
  connectTls,
  HOST,
  listen,
  startEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };
const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

test(
  'draining lets open exchanges finish, says close on following answers, and closes idle connections',
  LIMIT,
  async (t) => {
    const asked: Inbound[] = [];
    const edge = await startEdge({
      onExchange(inbound) {
        if (inbound.head.target === '/now') answer(inbound, 200, 'now');
        else {
          listen(inbound);
          inbound.respond(answerHead(200, [], { kind: 'stream' }));
          inbound.write(Buffer.from('begun'), null);
          asked.push(inbound);
        }
      },
    });
    t.after(() => edge.close());
    const open = await connect(edge.port);
    open.socket.write(GET);
    await open.until('begun');
    const idle = await connect(edge.port);
    idle.socket.write(GET.replace('/', '/now'));
    await idle.until('now');
    const hasty = await connect(edge.port);
    hasty.socket.write(GET.replace('/', '/now'));
    await hasty.until('now');
    const fresh = await connect(edge.port);
    const begunAt = performance.now();
    edge.edge.drain();
    edge.edge.drain();
    hasty.socket.write(GET.replace('/', '/now'));
    const last = await hasty.ended();
    assert.match(last.text, /\r\nConnection: close\r\n\r\nnow$/);
    assert.equal((await idle.ended()).error, null);
    assert.equal((await fresh.ended()).text, '');
    assert.equal(performance.now() - begunAt >= DRAIN_IDLE_MS - 10, true);
    assert.equal(edge.edge.stats().exchanges, 1);
    for (const client of [idle, hasty, fresh]) client.socket.destroy();
    asked[0]?.write(Buffer.from(' and done'), null);
    asked[0]?.end([]);
    assert.match((await open.ended()).text, / and done\r\n0\r\n\r\n$/);
    open.socket.end();
    await edge.edge.drained();
    assert.deepEqual(edge.edge.stats(), { connections: 0, tunnels: 0, exchanges: 0 });
  },
);

test('draining an HTTP/2 session lets its streams finish and takes no more', LIMIT, async (t) => {
  const asked = Promise.withResolvers<Inbound>();
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound);
      asked.resolve(inbound);
    },
  });
  t.after(() => edge.close());
  const socket = await connectTls(edge, { alpn: ['h2'] });
  const session = http2.connect(`https://${HOST}`, { createConnection: () => socket });
  const request = session.request({ ':path': '/' });
  const goaways: number[] = [];
  session.on('goaway', (_code, lastId) => goaways.push(lastId));
  const inbound = await asked.promise;
  edge.edge.drain();
  await once(session, 'goaway');
  inbound.respond(answerHead(200, [], { kind: 'stream' }));
  inbound.write(Buffer.from('whole'), null);
  inbound.end([]);
  request.setEncoding('utf8');
  let body = '';
  for await (const piece of request) body += piece;
  assert.equal(body, 'whole');
  await edge.edge.drained();
  assert.equal(goaways[0], 2 ** 31 - 1);
  session.destroy();
});

test('what is accepted while draining is still served, once', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  edge.edge.drain();
  const plain = await connect(edge.port);
  plain.socket.write(GET);
  assert.match((await plain.ended()).text, /\r\nConnection: close\r\n\r\nok$/);
  plain.socket.destroy();
  const socket = await connectTls(edge, { alpn: ['h2'] });
  const session = http2.connect(`https://${HOST}`, { createConnection: () => socket });
  const request = session.request({ ':path': '/' });
  request.setEncoding('utf8');
  let body = '';
  for await (const piece of request) body += piece;
  assert.equal(body, 'ok');
  await edge.edge.drained();
  session.destroy();
});

test('a quiet tunnel does not hold up draining', LIMIT, async (t) => {
  const edge = await startEdge();
  const server = net.createServer((socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => edge.close());
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const client = await connect(edge.port);
  client.socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await client.until('\r\n\r\n');
  edge.edge.drain();
  const { error } = await client.ended();
  assert.equal(error, null);
  client.socket.destroy();
  await edge.edge.drained();
});

test('destroy ends open exchanges, each exactly once', LIMIT, async () => {
  const heard: Array<ReturnType<typeof listen>> = [];
  const both = Promise.withResolvers<void>();
  const edge = await startEdge({
    onExchange(inbound) {
      heard.push(listen(inbound));
      if (heard.length === 2) both.resolve();
    },
  });
  const plain = await connect(edge.port);
  plain.socket.write(GET);
  const socket = await connectTls(edge, { alpn: ['h2'] });
  const session = http2.connect(`https://${HOST}`, { createConnection: () => socket });
  session.on('error', () => undefined);
  session.request({ ':path': '/' }).on('error', () => undefined);
  await both.promise;
  await edge.close();
  for (const exchange of heard) {
    assert.equal((await exchange.closed).delivery.how, 'gone');
    assert.equal(exchange.closes(), 1);
  }
  assert.deepEqual(edge.edge.stats(), { connections: 0, tunnels: 0, exchanges: 0 });
  plain.socket.destroy();
  session.destroy();
});
