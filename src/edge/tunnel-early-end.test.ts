/**
 * Tunnels to which something happened before they were open: a client that ended its side, an edge that
 * began to drain.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { connect, startEdge } from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };

/** A server that answers, by saying so, when its client has ended. */
async function patient(): Promise<{ port: number; server: net.Server }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('end', () => socket.end('heard you out'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as net.AddressInfo).port };
}

test(
  'FIN that comes while the tunnel is dialled is passed on when it is open',
  LIMIT,
  async (t) => {
    const edge = await startEdge();
    const { server, port } = await patient();
    t.after(() => edge.close());
    t.after(() => server.close());
    const client = await connect(edge.port);
    client.socket.end(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\nearly`);
    assert.match((await client.ended()).text, /^HTTP\/1\.1 200 .*\r\n\r\nheard you out$/);
    await edge.edge.drained();
    assert.equal(edge.edge.stats().tunnels, 0);
  },
);

test('a tunnel that opens while the edge drains is not kept for being quiet', LIMIT, async (t) => {
  const edge = await startEdge();
  const { server, port } = await patient();
  t.after(() => edge.close());
  t.after(() => server.close());
  edge.edge.drain();
  const client = await connect(edge.port);
  client.socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  await client.until('\r\n\r\n');
  await client.ended();
  client.socket.destroy();
  await edge.edge.drained();
});
