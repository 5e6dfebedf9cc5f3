/** What leaves together and what leaves at once, on a real socket whose writes are counted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { Outbox } from './outbox.ts';

const LIMIT = { timeout: 10_000 };

interface Scene {
  readonly outbox: Outbox;
  /** What each write to the socket held. */
  readonly writes: string[];
  /** Resolves once so many bytes came through; gives all that came. */
  received(count: number): Promise<string>;
}

async function scene(t: TestContext): Promise<Scene> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  t.after(() => {
    socket.destroy();
    peer.destroy();
    server.close();
  });
  let text = '';
  peer.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  const writes: string[] = [];
  const write = socket.write.bind(socket);
  t.mock.method(socket, 'write', (bytes: Buffer, ...rest: []) => {
    writes.push(bytes.toString('latin1'));
    return write(bytes, ...rest);
  });
  return {
    outbox: new Outbox(socket, () => undefined),
    writes,
    async received(count) {
      while (text.length < count) await once(peer, 'data');
      return text;
    },
  };
}

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is pushed in one turn leaves in one write, at its end', LIMIT, async (t) => {
  const { outbox, writes, received } = await scene(t);
  outbox.push(Buffer.from('head '));
  outbox.push(Buffer.from('body'));
  await tick();
  outbox.push(Buffer.from(' more'));
  await tick();
  assert.deepEqual(writes, []);
  await turn();
  assert.deepEqual(writes, ['head body more']);
  assert.equal(await received(14), 'head body more');
});

test('what is pushed in the next turn leaves in the next', LIMIT, async (t) => {
  const { outbox, writes } = await scene(t);
  outbox.push(Buffer.from('a'));
  await turn();
  outbox.push(Buffer.from('b'));
  await turn();
  assert.deepEqual(writes, ['a', 'b']);
});

test('what waits for the end of the turn leaves when it is asked for, once', LIMIT, async (t) => {
  const { outbox, writes } = await scene(t);
  let flushed = 0;
  outbox.push(Buffer.from('b'));
  outbox.whenFlushed(() => {
    flushed += 1;
  });
  outbox.flush();
  assert.deepEqual(writes, ['b']);
  await turn();
  await turn();
  assert.deepEqual([writes, flushed], [['b'], 1]);
});
