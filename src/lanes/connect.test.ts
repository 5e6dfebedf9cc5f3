import assert from 'node:assert/strict';
import net from 'node:net';
import { before, test } from 'node:test';
import { TLS_VERIFIED_MS_MAX } from '../core/limits.ts';
import { type MintedServer, mintServer } from '../pki/authority.ts';
import type { ConnectionFact } from './lane.ts';
import {
  headCame,
  laneTo,
  type Peer,
  record,
  requestOf,
  scriptUpstream,
  settled,
  TIMEOUTS,
  upstreamAt,
} from './scripted-upstream.ts';

let good: MintedServer;
before(async () => {
  good = await mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now: new Date() });
});

const answer = (peer: Peer): void => {
  peer.until(headCame).then(() => {
    peer.socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
  });
};

/** Sends one GET over TLS to a server with that certificate. */
async function attempt(
  keys: MintedServer,
  options: { ca: string | null; host?: string; facts?: ConnectionFact[] },
) {
  const upstream = await scriptUpstream({ tls: keys }, answer);
  const lane = laneTo(
    upstreamAt(upstream.port, {
      scheme: 'https',
      host: options.host ?? '127.0.0.1',
      ca: options.ca,
    }),
    { onSession: (fact) => options.facts?.push(fact) },
  );
  const events = record();
  lane.open(lane.prepare(requestOf()), events);
  const outcome = await Promise.race([events.end, events.fail]);
  lane.close();
  await upstream.close();
  return 'code' in outcome ? outcome : 'ok';
}

test('a certificate is accepted for its name and for its address, with the extra root only', async () => {
  assert.equal(await attempt(good, { ca: good.caCertPem, host: 'localhost' }), 'ok');
  assert.equal(await attempt(good, { ca: good.caCertPem }), 'ok');
});

test('a certificate that can not be verified fails the attempt before a byte is sent', async () => {
  const other = await mintServer({
    names: ['elsewhere.test'],
    ips: ['127.0.0.2'],
    now: new Date(),
  });
  const old = await mintServer({
    names: ['localhost'],
    ips: ['127.0.0.1'],
    now: new Date('2001-01-01'),
  });
  for (const [keys, options, detail] of [
    [good, { ca: null }, /self|verify|issuer/i],
    [good, { ca: other.caCertPem }, /self|verify|issuer/i],
    [other, { ca: other.caCertPem }, /ALTNAME|altnames/],
    [other, { ca: other.caCertPem, host: 'localhost' }, /ALTNAME|altnames/],
    [old, { ca: old.caCertPem }, /expired/i],
  ] as const) {
    const failure = await attempt(keys, options);
    assert.ok(failure !== 'ok');
    assert.deepEqual([failure.code, failure.phase, failure.sent], ['certificate', 'tls', false]);
    assert.match(failure.detail, detail);
  }
});

test('a refused connection, a silent handshake and a broken one have their own codes', async () => {
  const silent = await scriptUpstream();
  const rude = await scriptUpstream({}, ({ socket }) => socket.end('HTTP/1.1 400 Bad\r\n\r\n'));
  const hangUp = await scriptUpstream({}, ({ socket }) => socket.destroy());
  const vacant = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => vacant.once('listening', resolve));
  const { port } = vacant.address() as net.AddressInfo;
  await new Promise((resolve) => vacant.close(resolve));
  for (const [at, codes, phase] of [
    [port, ['refused'], 'connect'],
    [silent.port, ['connect_timeout'], 'tls'],
    [rude.port, ['tls'], 'tls'],
    [hangUp.port, ['closed', 'reset'], 'tls'],
  ] as const) {
    for (const http2 of ['never', 'always'] as const) {
      const lane = laneTo(upstreamAt(at, { scheme: 'https' }), {
        http2,
        timeouts: { ...TIMEOUTS, tlsMs: 40 },
      });
      const events = record();
      lane.open(lane.prepare(requestOf()), events);
      const failure = await events.fail;
      assert.ok((codes as readonly string[]).includes(failure.code), failure.code);
      assert.deepEqual(
        [failure.phase, failure.raced, failure.sent, failure.answered],
        [phase, false, false, false],
      );
      assert.deepEqual(events.log, [`fail ${failure.code}`]);
      lane.close();
    }
  }
  for (const upstream of [silent, rude, hangUp]) await upstream.close();
});

test('a second connection resumes the TLS session, by TLS 1.2 and 1.3', async () => {
  for (const version of [{}, { maxVersion: 'TLSv1.2' as const }]) {
    const facts: ConnectionFact[] = [];
    const upstream = await scriptUpstream({ tls: good, ...version }, answer);
    const lane = laneTo(
      upstreamAt(upstream.port, { scheme: 'https', host: 'localhost', ca: good.caCertPem }),
      { onSession: (fact) => facts.push(fact) },
    );
    for (let i = 0; i < 2; i += 1) {
      const events = record();
      lane.open(lane.prepare(requestOf()), events);
      await events.end;
      await settled();
    }
    assert.deepEqual(
      facts.map((fact) => fact.resumed),
      [false, true],
    );
    lane.close();
    await upstream.close();
  }
});

test('an hour after its certificate was verified, and where the clock was set back, it is verified anew', async (t) => {
  const facts: ConnectionFact[] = [];
  const upstream = await scriptUpstream({ tls: good }, answer);
  const lane = laneTo(
    upstreamAt(upstream.port, { scheme: 'https', host: 'localhost', ca: good.caCertPem }),
    { onSession: (fact) => facts.push(fact) },
  );
  const real = Date.now.bind(Date);
  let ahead = 0;
  t.mock.method(Date, 'now', () => real() + ahead);
  for (const ms of [0, TLS_VERIFIED_MS_MAX / 2, TLS_VERIFIED_MS_MAX, 0]) {
    ahead = ms;
    const events = record();
    lane.open(lane.prepare(requestOf()), events);
    await events.end;
    await settled();
  }
  assert.deepEqual(
    facts.map((fact) => fact.resumed),
    [false, true, false, false],
  );
  lane.close();
  await upstream.close();
});

test('an abort during the handshake closes the socket at once', async () => {
  const silent = await scriptUpstream();
  for (const http2 of ['never', 'always'] as const) {
    const lane = laneTo(upstreamAt(silent.port, { scheme: 'https' }), { http2 });
    const events = record();
    const count = silent.peers.length;
    const outbound = lane.open(lane.prepare(requestOf()), events);
    const peer = await silent.peer(count);
    await peer.until((bytes) => bytes.length > 0);
    outbound.abort();
    await peer.gone;
    assert.deepEqual(events.log, []);
    lane.close();
  }
  await silent.close();
});
