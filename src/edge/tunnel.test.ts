/**
 * CONNECT: tunnels to other hosts, TLS to the intercepted one, and what is refused.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import tls from 'node:tls';
import { CLIENT_TLS_MS_MAX } from '../core/limits.ts';
import { mintServer } from '../pki/authority.ts';
import {
  answer,
  connect,
  connectTls,
  HOST,
  rawClient,
  startEdge,
  type TestEdge,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };

/** A TCP server on loopback that echoes; half-open, as real servers may be. */
async function echo(host = '127.0.0.1'): Promise<{ port: number; server: net.Server }> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return { server, port: (server.address() as net.AddressInfo).port };
}

async function refusal(edge: TestEdge, connectTarget: string, fields = ''): Promise<string> {
  const client = await connect(edge.port);
  client.socket.write(`CONNECT ${connectTarget} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
  const { text, error } = await client.ended();
  assert.equal(error, null);
  client.socket.destroy();
  const status = /^HTTP\/1.1 (\d+)/.exec(text)?.[1];
  const code = /x-lanekeeper-error: (\S+)/.exec(text)?.[1];
  return `${status} ${code}`;
}

test(
  'a tunnel carries bytes both ways, early ones first, and passes half-closes on',
  LIMIT,
  async (t) => {
    const edge = await startEdge();
    const { server, port } = await echo();
    t.after(() => edge.close());
    t.after(() => server.close());
    const client = await connect(edge.port);
    client.socket.write(
      `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\nearly`,
    );
    const established = 'HTTP/1.1 200 Connection Established\r\n\r\n';
    assert.equal(await client.until('early'), `${established}early`);
    assert.deepEqual(edge.edge.stats(), { connections: 1, tunnels: 1, exchanges: 0 });
    const big = 'z'.repeat(5_000_000);
    client.socket.end(big);
    const { text, error } = await client.ended();
    assert.equal(text.length, `${established}early`.length + big.length);
    assert.equal(error, null);
    await edge.edge.drained();
    assert.deepEqual(edge.edge.stats(), { connections: 0, tunnels: 0, exchanges: 0 });
  },
);

test('a tunnel reaches IPv6 literals', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const started = await echo('::1').catch(() => null);
  if (started === null) {
    t.skip('no IPv6 here');
    return;
  }
  t.after(() => started.server.close());
  const client = await connect(edge.port);
  client.socket.write(`CONNECT [::1]:${started.port} HTTP/1.1\r\nHost: [::1]\r\n\r\nsix`);
  assert.match(await client.until('six'), /^HTTP\/1.1 200 /);
  client.socket.destroy();
});

test("inside a tunnel the certificate is the origin's own", LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const pki = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
  const origin = tls.createServer({ key: pki.keyPem, cert: pki.certPem }, (socket) => {
    socket.on('error', () => undefined);
    socket.end('origin speaking');
  });
  origin.listen(0, 'localhost');
  await once(origin, 'listening');
  t.after(() => origin.close());
  const { port } = origin.address() as net.AddressInfo;
  const tunnel = await connect(edge.port);
  tunnel.socket.write(`CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await tunnel.until('\r\n\r\n');
  tunnel.socket.removeAllListeners('data');
  const socket = tls.connect({ socket: tunnel.socket, servername: 'localhost', ca: pki.caCertPem });
  const client = rawClient(socket);
  await client.until('origin speaking');
  assert.equal(socket.authorized, true);
  socket.destroy();
});

test('a target without a valid port is refused 400', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  for (const target of [
    'localhost',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    '[::1]',
    '::1:443',
    '127.1:443',
  ]) {
    assert.equal(await refusal(edge, target), '400 bad_authority', target);
  }
  assert.equal(await refusal(edge, 'x:443', 'Content-Length: 3\r\n'), '400 bad_request');
});

test('a tunnel back to the proxy itself is refused, by address and by name', LIMIT, async (t) => {
  const edge = await startEdge({ ownHosts: ['proxy.test'] });
  t.after(() => edge.close());
  for (const host of [
    '127.0.0.1',
    '127.9.9.9',
    '[::1]',
    'localhost',
    '0.0.0.0',
    '[::ffff:127.0.0.1]',
    'proxy.test',
  ]) {
    assert.equal(await refusal(edge, `${host}:${edge.port}`), '508 loop', host);
  }
});

test('a target that can not be reached is answered before any 200', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const { server, port } = await echo();
  server.close();
  await once(server, 'close');
  assert.equal(await refusal(edge, `127.0.0.1:${port}`), '502 upstream_refused');
  assert.equal(await refusal(edge, 'nowhere.invalid:443'), '502 upstream_dns');
});

test('with a token a tunnel needs it, in Basic credentials of any user', LIMIT, async (t) => {
  const edge = await startEdge({ token: 'canary-token-1' });
  t.after(() => edge.close());
  const basic = (pair: string) =>
    `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`;
  assert.equal(await refusal(edge, 'x.invalid:443'), '407 proxy_auth_required');
  assert.equal(await refusal(edge, `${HOST}:443`), '407 proxy_auth_required');
  assert.equal(
    await refusal(edge, 'x.invalid:443', basic('me:canary-token-2')),
    '407 proxy_auth_required',
  );
  assert.equal(
    await refusal(edge, 'x.invalid:443', 'Proxy-Authorization: Bearer canary-token-1\r\n'),
    '407 proxy_auth_required',
  );
  assert.equal(
    await refusal(edge, 'x.invalid:443', basic('me:canary-token-1')),
    '502 upstream_dns',
  );
  const client = await connect(edge.port);
  client.socket.write('CONNECT x.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n');
  const { text } = await client.ended();
  assert.match(text, /\r\nProxy-Authenticate: Basic realm="lanekeeper"\r\n/);
  client.socket.destroy();
});

test(
  'an origin that resets ends the tunnel, and the client keeps what came before',
  LIMIT,
  async (t) => {
    const edge = await startEdge();
    t.after(() => edge.close());
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('some bytes');
      socket.once('data', () => socket.resetAndDestroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const client = await connect(edge.port);
    client.socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('some bytes');
    client.socket.write('go');
    const { error } = await client.ended();
    assert.equal(error, null);
    client.socket.end();
    await edge.edge.drained();
  },
);

test('a ClientHello in the packet of its CONNECT is not lost', LIMIT, async (t) => {
  const edge = await startEdge({ onExchange: (inbound) => void answer(inbound, 200, 'whole') });
  t.after(() => edge.close());
  const outer = net.connect({ port: edge.port, host: '127.0.0.1' });
  await once(outer, 'connect');
  // A pipe for TLS to speak through: its first bytes leave together with the CONNECT.
  const connectHead = `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`;
  let isFirst = true;
  const pipe = new Duplex({
    read: () => outer.resume(),
    write(bytes: Buffer, _encoding, done) {
      outer.write(isFirst ? Buffer.concat([Buffer.from(connectHead), bytes]) : bytes, done);
      isFirst = false;
    },
  });
  let head = '';
  outer.on('data', (bytes: Buffer) => {
    const end = head === '' ? bytes.indexOf('\r\n\r\n') + 4 : 0;
    head += bytes.toString('latin1', 0, end);
    if (bytes.length > end) pipe.push(bytes.subarray(end));
  });
  const socket = tls.connect({ socket: pipe, servername: HOST, ca: edge.ca });
  const client = rawClient(socket);
  socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await client.until('whole');
  assert.equal(head, 'HTTP/1.1 200 Connection Established\r\n\r\n');
  socket.destroy();
  outer.destroy();
});

test("a Host or server name other than the tunnel's is misdirected", LIMIT, async (t) => {
  const edge = await startEdge({ onExchange: () => assert.fail('reached the relay') });
  t.after(() => edge.close());
  for (const host of ['example.com', `${HOST}:444`, `x.${HOST}`, '127.0.0.1']) {
    const socket = await connectTls(edge);
    const client = rawClient(socket);
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assert.match(await client.until('misdirected'), /^HTTP\/1.1 421 /);
    socket.destroy();
  }
  const socket = await connectTls(edge, { servername: 'second.test' });
  const client = rawClient(socket);
  socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  assert.match(await client.until('misdirected'), /^HTTP\/1.1 421 /);
  socket.destroy();
});

test(
  'plain bytes inside an intercepted tunnel are closed, and said to be no TLS',
  LIMIT,
  async (t) => {
    const edge = await startEdge({ onExchange: () => assert.fail('reached the relay') });
    t.after(() => edge.close());
    const client = await connect(edge.port);
    client.socket.write(
      `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\nGET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
    );
    const { text } = await client.ended();
    assert.doesNotMatch(text, /200 Fine/);
    client.socket.destroy();
    await edge.edge.drained();
    assert.deepEqual(edge.warnings, [
      {
        event: 'client_tls_failed',
        facts: { host: HOST, cause: 'the client does not speak TLS inside its tunnel' },
      },
    ]);
  },
);

test('a client that does not trust the CA is pointed at doctor', LIMIT, async (t) => {
  const edge = await startEdge();
  t.after(() => edge.close());
  const tunnel = await connect(edge.port);
  tunnel.socket.write(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await tunnel.until('\r\n\r\n');
  tunnel.socket.removeAllListeners('data');
  const socket = tls.connect({ socket: tunnel.socket, servername: HOST });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.match(error.message, /certificate/);
  tunnel.socket.destroy();
  await edge.edge.drained();
  assert.equal(edge.warnings.length, 1);
  assert.match(String(edge.warnings[0]?.facts['cause']), /lanekeeper doctor/);
});

test('a TLS handshake that does not come is bounded', LIMIT, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const edge = await startEdge();
  t.after(() => edge.close());
  const client = await connect(edge.port);
  client.socket.write(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await client.until('\r\n\r\n');
  t.mock.timers.tick(CLIENT_TLS_MS_MAX);
  await client.ended();
  assert.equal(edge.warnings[0]?.facts['cause'], 'the handshake took too long');
  client.socket.destroy();
});

test('another port of the intercepted host is a blind tunnel', LIMIT, async (t) => {
  const edge = await startEdge({ interceptHosts: ['127.0.0.1'] });
  t.after(() => edge.close());
  const { server, port } = await echo();
  t.after(() => server.close());
  const client = await connect(edge.port);
  client.socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\nplain`);
  await client.until('plain');
  client.socket.destroy();
});
