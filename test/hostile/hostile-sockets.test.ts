/**
 * Sockets that are opened and not used, half closed, or not read: at every stage of a connection, and
 * by the thousand. An ordinary request is served meanwhile, and all is let go of afterwards.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '../../src/admin/client.ts';
import { proxyView } from '../../src/cli/drill/proxy-view.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import { rawConnect } from '../support/raw-client.ts';
import { exchangeOnce } from '../support/raw-exchange.ts';
import { sharedPlace } from './place.ts';
import { until } from './settle.ts';

const HOST = 'api.anthropic.com';
const CONNECT = `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`;
const GET = (host: string): string => `GET /v1/ordinary HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** How far a client goes before it stops. `{host}` is the right Host. */
const STAGES: readonly (readonly [name: string, bytes: string])[] = [
  ['nothing', ''],
  ['half a request line', 'GET /v1/or'],
  ['half a head', 'GET /v1/ordinary HTTP/1.1\r\nHost: {host}\r\nX-Ha'],
  ['a whole request', 'GET /v1/ordinary HTTP/1.1\r\nHost: {host}\r\n\r\n'],
  ['half a body', 'POST /v1/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nabc'],
  [
    'half a held body',
    'POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nabc',
  ],
  [
    'half a chunk',
    'POST /v1/x HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc',
  ],
  ['half a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM'],
  ['half a CONNECT', 'CONNECT api.anthropic.com:443 HT'],
  ['CONNECT', CONNECT],
  ['CONNECT and half a ClientHello', `${CONNECT}\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03`],
  ['a refused request', 'GET / HTTP/1.1\r\n\r\n'],
];

async function dial(port: number, halfOpen: boolean): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: halfOpen });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('clients that stop', () => {
  const place = sharedPlace();

  const bytesOf = (bytes: string): Buffer =>
    Buffer.from(bytes.replaceAll('{host}', place().hostOf('plain')), 'latin1');

  async function assertReleased(): Promise<void> {
    const { control } = place().rig.proxy;
    const look = () => ({
      connections: control.status().connections,
      open: control.status().exchanges.open,
    });
    const isReleased = (seen: ReturnType<typeof look>): boolean =>
      seen.connections === 0 && seen.open === 0;
    await until(look, isReleased, 'what is open');
    for (const shape of ['gateway', 'connect'] as const) {
      const { rig } = place();
      const seen = await exchangeOnce(rig.proxy, rig.ca, shape, { method: 'GET', path: '/v1/o' });
      assert.equal(seen.status, 200);
    }
  }

  for (const [how, stop] of [
    ['end their side', (socket: net.Socket) => socket.end()],
    ['reset', (socket: net.Socket) => socket.resetAndDestroy()],
    ['vanish without reading', (socket: net.Socket) => socket.pause().destroy()],
  ] as const) {
    test(`that ${how} at any stage are let go of`, async () => {
      await Promise.all(
        STAGES.map(async ([, bytes]) => {
          const socket = await dial(place().rig.proxy.port, false);
          socket.resume();
          socket.write(bytesOf(bytes), () => stop(socket));
          await once(socket, 'close');
        }),
      );
      await assertReleased();
    });
  }

  test('that end their side, and never close what the proxy ended, are let go of too', async () => {
    // Open at their end until the test is over: the proxy has to be the one that gives up.
    const sockets = await Promise.all(STAGES.map(() => dial(place().rig.proxy.port, true)));
    await until(
      () => place().rig.proxy.control.status().connections,
      (connections) => connections === STAGES.length,
      'open connections',
    );
    for (const [index, socket] of sockets.entries()) {
      socket.pause();
      socket.end(bytesOf(STAGES[index]?.[1] ?? ''));
    }
    await assertReleased();
    for (const socket of sockets) socket.destroy();
  });

  test('thousands of requests in one write, whose answers nobody reads for long, are all served', async () => {
    const count = 3_000;
    const connection = await rawConnect({
      to: { host: '127.0.0.1', port: place().rig.proxy.port },
    });
    connection.tcp.pause();
    const sent = connection.send(GET(place().hostOf('plain')).repeat(count));
    const { control } = place().rig.proxy;
    const begun = control.status().exchanges.total;
    await until(
      () => control.status().exchanges.total - begun,
      (total) => total > 100,
      'exchanges',
    );
    connection.tcp.resume();
    await sent;
    for (let index = 0; index < count; index += 1) {
      assert.equal((await connection.readAnswer('GET')).status, 200);
    }
    connection.destroy();
    await assertReleased();
  });

  test('that reset while their answers are on the way are let go of, inside of TLS too', async () => {
    const body = JSON.stringify({ model: 'claude-sonnet-5-5', stream: true });
    const lines = [`Host: ${HOST}`, `Content-Length: ${body.length}`];
    const request = `POST /v1/messages HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
    for (let round = 0; round < 60; round += 1) {
      const connection = await place().open('tls');
      connection.tcp.pause();
      connection.send(request.repeat(1 + (round % 20))).catch(() => {});
      // At any moment between the requests and the last of the answers.
      await wait(round % 12);
      connection.tcp.resetAndDestroy();
    }
    await assertReleased();
  });

  test('a request of one byte a write is a request', async () => {
    for (const entry of ['plain', 'tls'] as const) {
      const connection = await place().open(entry);
      for (const byte of GET(place().hostOf(entry))) await connection.send(byte);
      assert.equal((await connection.readAnswer('GET')).status, 200);
      connection.destroy();
    }
  });
});

test('2,000 idle connections: an ordinary request is served, and all is let go of afterwards', async (t) => {
  const proxy = await startProxyProcess(t);
  const { look } = proxyView({ home: proxy.home, ledger: '', session: '', stop: null });
  const ask = async (): Promise<void> => {
    const connection = await rawConnect({ to: { host: '127.0.0.1', port: proxy.port } });
    await connection.send(
      'GET /api/hello HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
    );
    assert.equal((await connection.readAnswer('GET')).status, 200);
    connection.destroy();
  };
  await ask();
  await until(
    () => readStatus(proxy.home),
    ({ connections }) => connections === 0,
    'before',
  );
  const before = await look();
  const sockets: net.Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  while (sockets.length < 2_000) {
    // No more at once than the backlog of a listener holds.
    const batch = await Promise.all(Array.from({ length: 100 }, () => dial(proxy.port, false)));
    // Some at every stage, whose timers may end them meanwhile; most have sent nothing at all.
    const stages = sockets.length === 0 ? STAGES : STAGES.slice(0, 1);
    for (const [index, socket] of batch.entries()) {
      const [, bytes] = stages[index % stages.length] ?? ['', ''];
      socket.write(Buffer.from(bytes.replaceAll('{host}', '127.0.0.1'), 'latin1'));
      socket.resume();
    }
    sockets.push(...batch);
  }
  await until(
    () => readStatus(proxy.home),
    ({ connections }) => connections >= 1_900,
    'open connections',
  );
  await ask();
  const { body, status } = await exchangeOnce(proxy, '', 'h2', {
    method: 'GET',
    path: '/api/hello',
  });
  assert.deepEqual([status, body.length > 0], [200, true]);
  for (const socket of sockets) socket.destroy();
  const released = await until(
    () => readStatus(proxy.home),
    ({ connections, exchanges }) => connections === 0 && exchanges.open === 0,
    'open connections',
  );
  assert.equal(released.workers_lost, 0);
  if (before?.handles === null) return;
  // Idle connections to the upstream may rest in the pool.
  const spare = 70;
  await until(look, (now) => (now?.handles ?? 0) <= (before?.handles ?? 0) + spare, 'handles');
});
