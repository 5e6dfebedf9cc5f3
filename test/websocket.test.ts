/**
 * WebSockets on an intercepted host, through the whole proxy: not read, but relayed by the default
 * lane (RFC 6455, RFC 9110 section 7.8).
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startFaultUpstream } from './support/fault-upstream.ts';
import { type RawAnswer, rawConnect } from './support/raw-client.ts';
import { type RigOptions, startRig } from './support/rig.ts';

const LIMIT = { timeout: 20_000 };
const HOST = 'api.anthropic.com';
const BULK_BYTES = 4 * 1024 * 1024;

function field({ fields }: RawAnswer, name: string): string | undefined {
  return fields.find((pair) => pair[0].toLowerCase() === name)?.[1];
}

/** A rig whose anthropic lane leads to an upstream that speaks as a test tells it. */
async function upgradeRig(t: Parameters<typeof startRig>[0]) {
  const upstream = await startFaultUpstream(t);
  const config: RigOptions['config'] = (given) => ({
    ...given,
    lanes: new Map(
      [...given.lanes].map(([name, lane]) => [
        name,
        name === 'anthropic' ? { ...lane, upstream: upstream.config() } : lane,
      ]),
    ),
  });
  const rig = await startRig(t, { config });
  const client = await rawConnect({
    to: { host: '127.0.0.1', port: rig.proxy.port },
    connect: { target: `${HOST}:443` },
    tls: { ca: rig.ca, servername: HOST, alpn: ['http/1.1'] },
  });
  return { rig, upstream, client };
}

const UPGRADE = [
  'GET /v1/session?x=1 HTTP/1.1',
  `Host: ${HOST}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Protocol: chat, superchat',
  'Authorization: Bearer fake-canary',
  '',
  '',
].join('\r\n');
const SWITCHED = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  'Sec-WebSocket-Protocol: chat',
  '',
  '',
].join('\r\n');
/** A masked frame of a client, "Hello" (RFC 6455 section 5.7), and the unmasked one of a server. */
const CLIENT_FRAME = Buffer.from('818537fa213d7f9f4d5158', 'hex');
const SERVER_FRAME = Buffer.from('810548656c6c6f', 'hex');
const CLOSE_FRAME = Buffer.from('880203e8', 'hex');

test('a WebSocket on an intercepted host is relayed, its frames untouched', LIMIT, async (t) => {
  const { rig, upstream, client } = await upgradeRig(t);
  await client.send(UPGRADE);
  const visit = await upstream.visit(0);
  const { head } = await visit.request();
  const lines = head.trimEnd().split('\r\n');
  assert.equal(lines[0], 'GET /v1/session?x=1 HTTP/1.1');
  for (const line of UPGRADE.trimEnd().split('\r\n').slice(2)) {
    assert(
      lines.some((sent) => sent.toLowerCase() === line.toLowerCase()),
      `${line} is missing`,
    );
  }
  // The first frame in one piece with the head.
  await visit.send(Buffer.concat([Buffer.from(SWITCHED), SERVER_FRAME]));
  const answer = await client.readAnswer();
  assert.equal(answer.status, 101);
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept', 'sec-websocket-protocol']) {
    const value = SWITCHED.split('\r\n').find((line) => line.toLowerCase().startsWith(`${name}:`));
    assert.equal(field(answer, name), value?.slice(name.length + 2));
  }
  assert((await client.reader.exactly(SERVER_FRAME.length)).equals(SERVER_FRAME));
  await client.send(CLIENT_FRAME);
  assert((await visit.reader.exactly(CLIENT_FRAME.length)).equals(CLIENT_FRAME));

  const bulk = randomBytes(BULK_BYTES);
  const echo = visit.reader.exactly(bulk.length).then((bytes) => visit.send(bytes));
  await client.send(bulk);
  assert((await client.reader.exactly(bulk.length)).equals(bulk));
  await echo;

  await client.send(CLOSE_FRAME);
  assert((await visit.reader.exactly(CLOSE_FRAME.length)).equals(CLOSE_FRAME));
  await visit.send(CLOSE_FRAME);
  visit.end();
  assert((await client.reader.rest()).equals(CLOSE_FRAME));
  client.socket.end();
  await visit.gone;
  const [record] = await rig.records(1);
  assert.deepEqual(
    [record?.lane, record?.decision, record?.status, record?.path, record?.intact],
    ['anthropic', 'passthrough', 101, '/v1/session', true],
  );
});

test(
  'frames that a client sends behind its upgrade, unasked, arrive behind the switch',
  LIMIT,
  async (t) => {
    const { rig, upstream, client } = await upgradeRig(t);
    await client.send(Buffer.concat([Buffer.from(UPGRADE), CLIENT_FRAME]));
    const visit = await upstream.visit(0);
    await visit.request();
    await visit.send(SWITCHED);
    assert((await visit.reader.exactly(CLIENT_FRAME.length)).equals(CLIENT_FRAME));
    await client.readAnswer();
    // A client that just leaves.
    client.destroy();
    await visit.gone;
    const [record] = await rig.records(1);
    assert.equal(record?.status, 101);
  },
);

test(
  'an upstream that does not switch has its answer relayed, and the connection stays HTTP',
  LIMIT,
  async (t) => {
    const { rig, upstream, client } = await upgradeRig(t);
    for (const status of ['426 Upgrade Required', '200 OK']) {
      const before = upstream.visits.length;
      await client.send(UPGRADE);
      const answering = client.readAnswer();
      const visit = upstream.visits.at(-1) ?? (await upstream.visit(before));
      await visit.request();
      await visit.send(
        `HTTP/1.1 ${status}\r\nContent-Length: 2\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nno`,
      );
      const answer = await answering;
      assert.deepEqual([answer.status, answer.body.toString()], [Number(status.slice(0, 3)), 'no']);
    }
    const records = await rig.records(2);
    assert.deepEqual(
      records.map(({ status, intact }) => [status, intact]),
      [
        [426, true],
        [200, true],
      ],
    );
    client.destroy();
  },
);

test('an upstream that dies behind the switch ends the client too', LIMIT, async (t) => {
  const { rig, upstream, client } = await upgradeRig(t);
  await client.send(UPGRADE);
  const visit = await upstream.visit(0);
  await visit.request();
  await visit.send(Buffer.concat([Buffer.from(SWITCHED), SERVER_FRAME]));
  await client.readAnswer();
  await client.reader.exactly(SERVER_FRAME.length);
  visit.reset();
  await client.reader.ending;
  client.destroy();
  const [record] = await rig.records(1);
  assert.equal(record?.intact, false);
});
