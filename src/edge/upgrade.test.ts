/**
 * Upgraded connections, and the ways a TLS client comes to speak HTTP/1.1.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  answer,
  answerHead,
  connect,
  connectTls,
  HOST,
  listen,
  rawClient,
  startEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };

test(
  'an upgraded connection carries bytes both ways, those behind the head first',
  LIMIT,
  async (t) => {
    const closed = Promise.withResolvers<string>();
    const edge = await startEdge({
      onExchange(inbound) {
        assert.equal(inbound.head.upgrade, 'websocket');
        const heard = listen(inbound, () => {
          const stream = inbound.upgrade(
            answerHead(101, [
              ['Upgrade', 'websocket'],
              ['Connection', 'upgrade'],
              ['Sec-WebSocket-Accept', 'x'],
            ]),
          );
          stream.read({
            onBytes: (bytes) => {
              if (!stream.write(bytes)) stream.pause();
            },
            onDrain: () => stream.resume(),
            onEnd: () => stream.end(),
            onClose: () => undefined,
          });
        });
        heard.closed.then(({ delivery }) => closed.resolve(delivery.how));
      },
    });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(
      'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly ',
    );
    const head = await client.until('early ');
    assert.equal(
      head,
      'HTTP/1.1 101 Fine\r\nSec-WebSocket-Accept: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly ',
    );
    const big = 'y'.repeat(3_000_000);
    client.socket.write(big);
    await client.until((text) => text.length === head.length + big.length);
    client.socket.end();
    const { error } = await client.ended();
    assert.equal(error, null);
    assert.equal(await closed.promise, 'complete');
  },
);

test(
  'a TLS client speaks HTTP/1.1 with and without ALPN, and with an odd name for it',
  LIMIT,
  async (t) => {
    const vias: unknown[] = [];
    const edge = await startEdge({
      onExchange(inbound) {
        vias.push(inbound.via);
        answer(inbound, 200, 'inside');
      },
    });
    t.after(() => edge.close());
    for (const alpn of [[], ['http/1.1'], ['http 1.1']]) {
      const socket = await connectTls(edge, { alpn });
      assert.equal(socket.alpnProtocol, alpn[0] ?? false);
      const client = rawClient(socket);
      socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
      await client.until('inside');
      socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`);
      await client.until((text) => text.match(/inside/g)?.length === 2);
      socket.destroy();
    }
    assert.deepEqual(vias, new Array(6).fill({ kind: 'intercept', host: HOST }));
  },
);
