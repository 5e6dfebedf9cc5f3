/** A session of node:http2 that is destroyed and forgets its socket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { boundFarewell } from './h2-farewell.ts';

const LIMIT = { timeout: 30_000 };

/** A client's session on a real socket, and how often it was late. */
async function open(t: TestContext, forgets: boolean) {
  const server = net.createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const session = http2.connect('http://localhost', { createConnection: () => socket });
  session.on('error', () => {});
  if (forgets) session.destroy = () => {};
  let late = 0;
  boundFarewell(session, socket, () => {
    late += 1;
  });
  t.after(() => {
    socket.destroy();
    server.close();
  });
  return { session, socket, late: () => late };
}

test('a socket that is forgotten is let go of, and that is told once', LIMIT, async (t) => {
  const { session, socket, late } = await open(t, true);
  session.destroy();
  session.destroy();
  assert.equal(socket.destroyed, false);
  await once(socket, 'close');
  assert.equal(late(), 1);
});

test('a session that keeps its word is not helped', LIMIT, async (t) => {
  const { session, socket, late } = await open(t, false);
  session.destroy();
  await once(socket, 'close');
  assert.equal(late(), 0);
});
