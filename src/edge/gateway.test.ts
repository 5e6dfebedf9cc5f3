/**
 * Gateway mode and the plain forward proxy: who is let in, what is forwarded where.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import type { RequestHead } from '../core/message.ts';
import {
  answer,
  connect,
  connectTls,
  HOST,
  rawClient,
  startEdge,
  VERSION,
} from './testing/harness.ts';

const LIMIT = { timeout: 10_000 };

/** Sends one request and gives the whole answer; the connection is closed after it. */
async function exchange(port: number, request: string): Promise<string> {
  const client = await connect(port);
  client.socket.write(Buffer.from(request, 'latin1'));
  const text = await client.until(isWhole);
  client.socket.destroy();
  return text;
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? '0';
  return end > 0 && text.length >= end + 4 + Number(length);
}

function codeOf(text: string): string {
  return `${text.slice(9, 12)} ${/x-lanekeeper-error: (\S+)/.exec(text)?.[1] ?? ''}`.trim();
}

/** A gateway that remembers the heads that reached the relay. */
async function gateway(options: { token?: string } = {}) {
  const heads: RequestHead[] = [];
  const edge = await startEdge({
    ...options,
    onExchange(inbound) {
      assert.deepEqual(inbound.via, { kind: 'gateway' });
      heads.push(inbound.head);
      answer(inbound, 200, 'served');
    },
  });
  return { edge, heads, port: edge.port };
}

test('requests of web pages and under foreign names are refused', LIMIT, async (t) => {
  const { edge, heads, port } = await gateway();
  t.after(() => edge.close());
  const cases: ReadonlyArray<readonly [string, string]> = [
    ['Host: 127.0.0.1:{PORT}', '200'],
    ['Host: localhost', '200'],
    ['Host: [::1]:1', '200'],
    ['Host: LOCALHOST:9', '200'],
    ['Host: localhost\r\nSec-Fetch-Site: none', '200'],
    ['Host: rebound.example', '403 foreign_host'],
    ['Host: 192.168.0.9', '403 foreign_host'],
    ['Host: localhost.example.com', '403 foreign_host'],
    ['Host: localhost\r\nOrigin: https://evil.example', '403 foreign_origin'],
    ['Host: localhost\r\nOrigin: null', '403 foreign_origin'],
    ['Host: localhost\r\nSec-Fetch-Site: cross-site', '403 foreign_origin'],
    ['Host: localhost\r\nsec-fetch-site: same-origin', '403 foreign_origin'],
  ];
  for (const [fields, expected] of cases) {
    const host = fields.replace('{PORT}', String(port));
    const text = await exchange(port, `GET /v1/models HTTP/1.1\r\n${host}\r\n\r\n`);
    assert.equal(codeOf(text), expected, fields);
  }
  assert.equal(heads.length, 5);
});

test(
  'with a token the gateway needs it, from any Host, and the relay never sees it',
  LIMIT,
  async (t) => {
    const { edge, heads, port } = await gateway({ token: 'canary-token-3' });
    t.after(() => edge.close());
    const basic = Buffer.from('x:canary-token-3').toString('base64');
    const cases: ReadonlyArray<readonly [string, string]> = [
      ['', '407 proxy_auth_required'],
      ['x-lanekeeper-token: canary-token-4\r\n', '407 proxy_auth_required'],
      ['X-Lanekeeper-Token: canary-token-3\r\nX-A: b\r\n', '200'],
      [`Proxy-Authorization: basic ${basic}\r\nX-A: b\r\n`, '200'],
      ['x-lanekeeper-token: canary-token-3\r\nOrigin: http://a\r\n', '403 foreign_origin'],
    ];
    for (const [fields, expected] of cases) {
      const text = await exchange(port, `GET / HTTP/1.1\r\nHost: my.host\r\n${fields}\r\n`);
      assert.equal(codeOf(text), expected, fields);
      assert.doesNotMatch(text, /canary/);
    }
    for (const head of heads) {
      assert.deepEqual(head.fields, [
        ['Host', 'my.host'],
        ['X-A', 'b'],
      ]);
    }
    assert.equal(heads.length, 2);
  },
);

test(
  'an absolute target that names the proxy itself is gateway mode with its origin form',
  LIMIT,
  async (t) => {
    const { edge, heads, port } = await gateway();
    t.after(() => edge.close());
    const ask = (target: string, fields: string, method = 'POST') =>
      exchange(port, `${method} ${target} HTTP/1.1\r\n${fields}\r\n\r\n`);
    const own = `127.0.0.1:${port}`;
    assert.equal(codeOf(await ask(`http://${own}/v1/messages?beta=true`, `Host: ${own}`)), '200');
    assert.equal(codeOf(await ask(`http://localhost:${port}`, `Host: localhost:${port}`)), '200');
    assert.deepEqual(
      heads.map((head) => head.target),
      ['/v1/messages?beta=true', '/'],
    );
    assert.equal(codeOf(await ask(`http://${own}/`, 'Host: localhost')), '400 bad_host');
    assert.equal(
      codeOf(await ask(`http://${own}/`, `Host: ${own}\r\nOrigin: http://a`)),
      '403 foreign_origin',
    );
    assert.equal(codeOf(await ask(`https://${own}/`, `Host: ${own}`)), '400 bad_request');
    assert.equal(codeOf(await ask('ftp://x.invalid/', 'Host: x.invalid')), '400 bad_request');
    assert.equal(codeOf(await ask(`http://${HOST}/v1`, `Host: ${HOST}`)), '403 plain_intercepted');
    assert.equal(heads.length, 2);
  },
);

test('Max-Forwards: 0 is answered here, and counted down otherwise', LIMIT, async (t) => {
  const { edge, heads, port } = await gateway();
  t.after(() => edge.close());
  const expected = `HTTP/1.1 204 No Content\r\nx-lanekeeper: ${VERSION}\r\n\r\n`;
  const request = 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\n\r\n';
  assert.equal(await exchange(port, request), expected);
  assert.equal(await exchange(port, request.replace('OPTIONS *', 'TRACE /')), expected);
  const socket = await connectTls(edge);
  socket.write(`OPTIONS / HTTP/1.1\r\nHost: ${HOST}\r\nMax-Forwards: 0\r\n\r\n`);
  assert.equal(await rawClient(socket).until(isWhole), expected);
  socket.destroy();
  assert.equal(heads.length, 0);
  await exchange(port, request.replace('0', '3'));
  await exchange(port, request.replace('OPTIONS *', 'GET /'));
  assert.deepEqual(
    heads.map((head) => head.fields.at(-1)?.[1]),
    ['2', '0'],
  );
});

/** An origin that answers a script and remembers what it was sent. */
async function origin(respond: (socket: net.Socket, sent: string) => void) {
  let sent = '';
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      sent += bytes.toString('latin1');
      respond(socket, sent);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    port: (server.address() as net.AddressInfo).port,
    sent: () => sent,
  };
}

test(
  'a request for another host is forwarded to it, rewritten, with both bodies as they are',
  LIMIT,
  async (t) => {
    const { edge, heads, port } = await gateway();
    const other = await origin((socket, sent) => {
      if (!sent.endsWith('0\r\nX-T: 1\r\n\r\n')) return;
      socket.end(
        'HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: close, x-hop\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nback\r\n0\r\n\r\n',
      );
    });
    t.after(() => edge.close());
    t.after(() => other.server.close());
    const authority = `127.0.0.1:${other.port}`;
    const client = await connect(port);
    client.socket.write(
      `POST http://${authority}/a?b HTTP/1.1\r\nHost: ${authority}\r\nProxy-Connection: keep-alive\r\n` +
        'x-lanekeeper-token: canary-token-5\r\nX-Keep: y\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    client.socket.write('3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n');
    const text = await client.until('0\r\n\r\n');
    assert.equal(
      text,
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nback\r\n0\r\n\r\n',
    );
    assert.equal(
      other.sent(),
      `POST /a?b HTTP/1.1\r\nHost: ${authority}\r\nX-Keep: y\r\nTransfer-Encoding: chunked\r\n` +
        'Connection: close\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
    );
    assert.equal(heads.length, 0);
    // The client's connection lives on, and serves the gateway next.
    client.socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await client.until('served');
    client.socket.destroy();
  },
);

test('a forwarded answer that breaks off breaks off for the client', LIMIT, async (t) => {
  const { edge, port } = await gateway();
  const other = await origin((socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
  });
  t.after(() => edge.close());
  t.after(() => other.server.close());
  const authority = `127.0.0.1:${other.port}`;
  const client = await connect(port);
  client.socket.write(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const { text, error } = await client.ended();
  assert.equal(text, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
  assert.equal(error, null);
  client.socket.destroy();
});

test('what can not be forwarded is answered 502, 508 or by its fault', LIMIT, async (t) => {
  const { edge, port } = await gateway();
  const garbage = await origin((socket) => socket.end('nonsense\r\n\r\n'));
  const silent = await origin((socket) => socket.end());
  t.after(() => edge.close());
  t.after(() => garbage.server.close());
  t.after(() => silent.server.close());
  const ask = async (authority: string, request = 'GET') =>
    codeOf(
      await exchange(
        port,
        `${request} http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`,
      ),
    );
  assert.equal(await ask(`127.0.0.1:${garbage.port}`), '502 upstream_protocol');
  assert.equal(await ask(`127.0.0.1:${silent.port}`), '502 upstream_closed');
  assert.equal(await ask('nowhere.invalid'), '502 upstream_dns');
  assert.equal(await ask(`0.0.0.0:${port}`), '508 loop');
});

test('a large forwarded upload passes under backpressure', LIMIT, async (t) => {
  const { edge, port } = await gateway();
  const size = 8 * 1024 * 1024;
  let received = 0;
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      received += bytes.length;
      if (received >= size) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => edge.close());
  t.after(() => server.close());
  const authority = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const client = await connect(port);
  client.socket.write(
    `PUT http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: ${size}\r\n\r\n`,
  );
  client.socket.write(Buffer.alloc(size));
  await client.until(' 200 OK');
  client.socket.destroy();
});
