/**
 * Answers that only the close of the connection delimits: FIN in front of their end would be a lie.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  answerHead,
  connect,
  connectTls,
  HOST,
  listen,
  rawClient,
  startEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 20_000 };

test('an edge that closes at once does not end such an answer', LIMIT, async (t) => {
  const edge = await startEdge({
    onExchange(inbound) {
      listen(inbound, () => {
        inbound.respond(answerHead(200, [], { kind: 'close' }));
        inbound.write(Buffer.from('begun'), null);
      });
    },
  });
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write('GET /v1/x HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.until('begun');
  edge.edge.destroy();
  assert.equal((await client.ended()).error, 'ECONNRESET');
});

for (const secure of [false, true]) {
  const where = secure ? 'inside TLS' : 'on the plain port';
  test(`a client that ends its side, yet reads on, sees the cut ${where}`, LIMIT, async (t) => {
    const edge = await startEdge({
      onExchange(inbound) {
        listen(inbound, () => {
          inbound.respond(answerHead(200, [], { kind: 'close' }));
          inbound.write(Buffer.from('begun'), null);
        });
      },
    });
    t.after(() => edge.close());
    const client = secure ? rawClient(await connectTls(edge)) : await connect(edge.port);
    const cut = Promise.withResolvers<string>();
    client.socket.once('error', (error: NodeJS.ErrnoException) => cut.resolve(error.code ?? ''));
    client.socket.once('end', () => cut.resolve('a clean end'));
    client.socket.write(`GET /v1/x HTTP/1.1\r\nHost: ${secure ? HOST : 'localhost'}\r\n\r\n`);
    await client.until('begun');
    client.socket.end();
    assert.equal(await cut.promise, 'ECONNRESET');
  });
}
