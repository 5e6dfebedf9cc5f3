/**
 * Tunnels through the whole proxy: other hosts unread, and the targets that are refused.
 */
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import os from 'node:os';
import { test } from 'node:test';
import tls from 'node:tls';
import { ERROR_HEADER } from '../src/core/errors.ts';
import { mintServer } from '../src/pki/authority.ts';
import { ByteReader } from './support/byte-reader.ts';
import { closedPort, startOrigin } from './support/origin.ts';
import { type RawAnswer, type RawConnection, rawConnect } from './support/raw-client.ts';
import { type Rig, startRig } from './support/rig.ts';

const LIMIT = { timeout: 20_000 };
const HOST = 'api.anthropic.com';
const BULK_BYTES = 4 * 1024 * 1024;
const hasIPv6 = Object.values(os.networkInterfaces())
  .flat()
  .some((at) => at?.address === '::1');

function tunnel({ proxy }: Rig, target: string, more: object = {}): Promise<RawConnection> {
  const to = { host: '127.0.0.1', port: proxy.port };
  return rawConnect({ to, connect: { target, ...more } });
}

/** What a CONNECT to this target is answered, which must be no 200. */
async function refusal({ proxy }: Rig, target: string): Promise<RawAnswer> {
  const client = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
  await client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  const answer = await client.readAnswer();
  client.destroy();
  return answer;
}

function field({ fields }: RawAnswer, name: string): string | undefined {
  return fields.find((pair) => pair[0].toLowerCase() === name)?.[1];
}

/** Nothing of a tunnel is an exchange: the ledger never hears of it. */
async function assertUnread(rig: Rig): Promise<void> {
  assert.deepEqual(await rig.records(0), []);
  assert.equal(rig.proxy.control.status().exchanges.total, 0);
  assert.equal(rig.twin.anthropic.requests().length + rig.twin.zai.requests().length, 0);
}

test("inside a tunnel to another host the certificate is the origin's own", LIMIT, async (t) => {
  const rig = await startRig(t);
  const minted = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
  const context = tls.createSecureContext({ cert: minted.certPem, key: minted.keyPem });
  const origin = await startOrigin(t, (tcp) => {
    const socket = new tls.TLSSocket(tcp, { isServer: true, secureContext: context });
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  const client = await rawConnect({
    to: { host: '127.0.0.1', port: rig.proxy.port },
    connect: { target: `localhost:${origin.port}` },
    tls: { ca: minted.caCertPem, servername: 'localhost' },
  });
  const shown = (client.socket as tls.TLSSocket).getPeerX509Certificate();
  assert.equal(shown?.fingerprint256, new X509Certificate(minted.certPem).fingerprint256);
  await client.send('secret');
  assert.equal((await client.reader.exactly(6)).toString(), 'secret');
  assert.equal(rig.proxy.control.status().tunnels, 1);
  client.destroy();
  await assertUnread(rig);
});

test('bytes of no known protocol pass both ways at once, whole and in order', LIMIT, async (t) => {
  const rig = await startRig(t);
  const down = randomBytes(BULK_BYTES);
  const up = randomBytes(BULK_BYTES);
  const arrived = Promise.withResolvers<Buffer>();
  const origin = await startOrigin(t, (socket) => {
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('end', () => arrived.resolve(Buffer.concat(pieces)));
    socket.end(down);
  });
  const client = await tunnel(rig, `127.0.0.1:${origin.port}`);
  client.socket.end(up);
  assert((await client.reader.rest()).equals(down));
  assert((await arrived.promise).equals(up));
  assert.equal(await client.reader.ending, 'fin');
  await assertUnread(rig);
});

test('a side that has ended still gets what the other has to say', LIMIT, async (t) => {
  const rig = await startRig(t);
  const clientFirst = await startOrigin(t, (socket) => {
    socket.on('end', () => socket.end('after your end'));
    socket.resume();
  });
  const one = await tunnel(rig, `127.0.0.1:${clientFirst.port}`);
  one.socket.end('all I had');
  assert.equal((await one.reader.rest()).toString(), 'after your end');
  assert.equal(await one.reader.ending, 'fin');

  const heard = Promise.withResolvers<string>();
  const originFirst = await startOrigin(t, (socket) => {
    let text = '';
    socket.on('data', (piece: Buffer) => {
      text += piece;
    });
    socket.on('end', () => heard.resolve(text));
    socket.end('all I had');
  });
  const other = net.connect({ port: rig.proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => other.destroy());
  const reader = new ByteReader(other);
  const target = `127.0.0.1:${originFirst.port}`;
  other.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  await reader.through('\r\n\r\n');
  assert.equal((await reader.rest()).toString(), 'all I had');
  other.end('after your end');
  assert.equal(await heard.promise, 'after your end');
});

test('what comes in one packet with the CONNECT is not lost', LIMIT, async (t) => {
  const rig = await startRig(t);
  const origin = await startOrigin(t, (socket) => socket.pipe(socket));
  const earlyBytes = randomBytes(9_000);
  const client = await tunnel(rig, `127.0.0.1:${origin.port}`, { early: true, earlyBytes });
  await client.send('later');
  const echoed = await client.reader.exactly(earlyBytes.length + 5);
  assert(echoed.equals(Buffer.concat([earlyBytes, Buffer.from('later')])));
  client.destroy();
});

test('an origin that speaks first is heard', LIMIT, async (t) => {
  const rig = await startRig(t);
  const origin = await startOrigin(t, (socket) => void socket.write('220 ready\r\n'));
  const client = await tunnel(rig, `127.0.0.1:${origin.port}`);
  assert.equal((await client.reader.through('\r\n')).toString(), '220 ready\r\n');
  client.destroy();
});

test('a tunnel reaches IPv6', { ...LIMIT, skip: !hasIPv6 && 'there is no ::1' }, async (t) => {
  const rig = await startRig(t);
  const origin = await startOrigin(t, (socket) => socket.pipe(socket), '::1');
  const client = await tunnel(rig, `[::1]:${origin.port}`);
  await client.send('six');
  assert.equal((await client.reader.exactly(3)).toString(), 'six');
  client.destroy();
});

test('a side that breaks off takes the other with it', LIMIT, async (t) => {
  const rig = await startRig(t);
  const closed = Promise.withResolvers<void>();
  const origin = await startOrigin(t, (socket) => {
    socket.once('data', (word: Buffer) => {
      if (word.toString() === 'die') socket.resetAndDestroy();
      else socket.write(word);
    });
    socket.once('close', () => closed.resolve());
  });
  const survivor = await tunnel(rig, `127.0.0.1:${origin.port}`);
  await survivor.send('die');
  await survivor.reader.ending;
  await closed.promise;

  const gone = Promise.withResolvers<void>();
  const other = await startOrigin(t, (socket) => {
    socket.resume();
    socket.once('end', () => socket.end());
    socket.once('close', () => gone.resolve());
  });
  const client = await tunnel(rig, `127.0.0.1:${other.port}`);
  client.tcp.resetAndDestroy();
  await gone.promise;
});

test('targets that are no host and port are refused', LIMIT, async (t) => {
  const rig = await startRig(t);
  for (const target of [HOST, `${HOST}:`, `${HOST}:0`, `${HOST}:65536`, ':443']) {
    const answer = await refusal(rig, target);
    assert.deepEqual(
      [target, answer.status, field(answer, ERROR_HEADER)],
      [target, 400, 'bad_authority'],
    );
  }
  await assertUnread(rig);
});

test('a tunnel back to the proxy itself is refused, whatever it is called', LIMIT, async (t) => {
  const rig = await startRig(t);
  const { port } = rig.proxy;
  for (const host of [
    '127.0.0.1',
    '127.9.9.9',
    'localhost',
    '[::1]',
    '0.0.0.0',
    '[::]',
    '[::ffff:127.0.0.1]',
  ]) {
    const answer = await refusal(rig, `${host}:${port}`);
    assert.deepEqual([host, answer.status, field(answer, ERROR_HEADER)], [host, 508, 'loop']);
  }
});

test('a target that refuses is answered 502 in words, before any 200', LIMIT, async (t) => {
  const rig = await startRig(t);
  const answer = await refusal(rig, `127.0.0.1:${await closedPort()}`);
  assert.equal(answer.status, 502);
  assert.equal(field(answer, ERROR_HEADER), 'upstream_refused');
  const { type, error } = JSON.parse(answer.body.toString()) as {
    type: string;
    error: { type: string; message: string };
  };
  assert.deepEqual([type, error.type], ['error', 'api_error']);
  assert.match(error.message, /\[upstream_refused\]$/);
});

test('tunnels and their sockets are gone when they have ended', LIMIT, async (t) => {
  const rig = await startRig(t);
  const sockets = new Set<net.Socket>();
  const origin = await startOrigin(t, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => tunnel(rig, `127.0.0.1:${origin.port}`)),
  );
  assert.equal(rig.proxy.control.status().tunnels, 20);
  await Promise.all(
    clients.map(async (client) => {
      client.socket.end('bye');
      assert.equal((await client.reader.rest()).toString(), 'bye');
      await Promise.all([client.tcp.closed || once(client.tcp, 'close')]);
    }),
  );
  while (sockets.size > 0) await once([...sockets][0] as net.Socket, 'close');
  const { tunnels, connections } = rig.proxy.control.status();
  assert.deepEqual({ tunnels, connections }, { tunnels: 0, connections: 0 });
});
