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

test(
  'a large piece is written by itself, its head with as much of it as fills a record',
  LIMIT,
  async (t) => {
    const { outbox, writes, received } = await scene(t);
    const head = 'h'.repeat(1_000);
    const large = 'L'.repeat(100_000);
    const middle = 'm'.repeat(20_000);
    for (const piece of [head, large, middle, middle, large, 'end'])
      outbox.push(Buffer.from(piece));
    await turn();
    const all = `${head}${large}${middle}${middle}${large}end`;
    assert.equal(writes.join(''), all);
    assert.deepEqual(
      writes.map((bytes) => bytes.length),
      [16_384, 100_000 + 1_000 - 16_384, 20_000, 20_000, 100_000, 3],
    );
    assert.equal(await received(all.length), all);
  },
);

test(
  'pieces of every size keep their order, and the end is told once all are accepted',
  LIMIT,
  async (t) => {
    const { outbox, received } = await scene(t);
    const sizes = [1, 40_000, 40_000, 5, 20_000, 20_000, 70_000];
    const pieces = sizes.map((size, index) => String(index).repeat(size));
    for (const piece of pieces) outbox.push(Buffer.from(piece));
    const flushed = new Promise<void>((resolve) => outbox.whenFlushed(resolve));
    const all = pieces.join('');
    assert.equal(await received(all.length), all);
    await flushed;
    assert.equal(outbox.pendingBytes, 0);
  },
);
