import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type DelayLine, startDelayLine } from './delay-line.ts';

interface Rig {
  readonly line: DelayLine;
  readonly near: Socket;
  /** The other end of `near`. */
  readonly far: Socket;
}

/** A connection through a line. */
async function rig(
  t: { after(run: () => Promise<void>): void },
  rttMs: number,
  heldMax?: number,
): Promise<Rig> {
  const accepted = Promise.withResolvers<Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    accepted.resolve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const line = await startDelayLine({ host: '127.0.0.1', port, rttMs }, heldMax);
  const near = net.connect({ port: line.port, host: '127.0.0.1', allowHalfOpen: true });
  near.on('error', () => {});
  const far = await accepted.promise;
  t.after(async () => {
    near.destroy();
    await line.close();
    far.destroy();
    server.close();
  });
  return { line, near, far };
}

/** All bytes up to the FIN; the socket stays open for its own. */
async function bytesOf(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  await once(socket, 'end');
  return Buffer.concat(pieces);
}

/** Resolves when it is closed, in any way, with the code of its error. */
function closed(socket: Socket): Promise<string | null> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      const error = socket.errored as NodeJS.ErrnoException | null;
      resolve(error?.code ?? null);
    });
  });
}

/** Bytes that tell when one is missing or in the wrong place. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at, at);
  return bytes;
}

test('every byte arrives, in order, and a half-close as one, in both directions', async (t) => {
  for (const rttMs of [0, 6]) {
    const { near, far } = await rig(t, rttMs);
    const sent = pattern(3_000_000);
    near.end(sent);
    assert(sent.equals(await bytesOf(far)));
    // The other direction is open still.
    const answer = pattern(1_000_000);
    far.end(answer);
    assert(answer.equals(await bytesOf(near)));
  }
});

test('a question and its answer take a round trip, the first one more for the connection', async (t) => {
  const rttMs = 60;
  const { near, far } = await rig(t, rttMs);
  far.on('data', (bytes: Buffer) => far.write(bytes));
  for (const least of [2 * rttMs, rttMs]) {
    const began = performance.now();
    near.write('?');
    await once(near, 'data');
    const took = performance.now() - began;
    // The connection was made a moment before the clock began.
    assert(took >= least - 20, `${took} ms`);
  }
});

test('a stopped reader stops the writer, at the bound and what the system holds', async (t) => {
  const heldMax = 100_000;
  const { near, far } = await rig(t, 4, heldMax);
  far.pause();
  const piece = Buffer.alloc(64_000);
  let taken = 0;
  // Until nothing has been taken for a while.
  for (let idle = 0; idle < 10; idle += 1) {
    while (!near.writableNeedDrain) {
      near.write(piece);
      taken += piece.length;
      idle = 0;
    }
    await wait(20);
  }
  assert(taken < 64_000_000, `${taken} bytes`);
  near.end();
  far.resume();
  assert.equal((await bytesOf(far)).length, taken);
});

test('a reset arrives as a reset, and so does a connection that nobody takes', async (t) => {
  const { near, far } = await rig(t, 4);
  near.write('x');
  await once(far, 'data');
  const reset = closed(near);
  far.resetAndDestroy();
  assert.equal(await reset, 'ECONNRESET');

  const free = net.createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const line = await startDelayLine({ host: '127.0.0.1', port, rttMs: 4 });
  t.after(() => line.close());
  const refused = net.connect({ port: line.port, host: '127.0.0.1' });
  refused.on('error', () => {});
  assert.equal(await closed(refused), 'ECONNRESET');
});

test('closing it cuts what it carries', async (t) => {
  const { line, near, far } = await rig(t, 1_000);
  near.write('never arrives');
  const over = Promise.all([closed(near), closed(far)]);
  let arrived = 0;
  for (const socket of [near, far]) {
    socket.on('data', () => {
      arrived += 1;
    });
    socket.once('end', () => socket.end());
  }
  await line.close();
  await over;
  assert.equal(arrived, 0);
});
