/**
 * Hostile TLS inside of a tunnel to the intercepted host: handshakes that break off anywhere, alerts,
 * old versions, other protocols, renegotiation, broken records. The process lives, nothing stays
 * open, and the next client is served.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import tls from 'node:tls';
import { exchangeOnce } from '../support/raw-exchange.ts';
import { sharedPlace } from './place.ts';
import { until } from './settle.ts';

const HOST = 'api.anthropic.com';
const CONNECT = `CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`;

const place = sharedPlace();

/** After each attack. */
afterEach(async () => {
  const { rig, recorder } = place();
  const { status } = await exchangeOnce(rig.proxy, rig.ca, 'connect', {
    method: 'GET',
    path: '/v1/ordinary',
  });
  assert.equal(status, 200);
  assert(recorder.requests.every(({ start }) => start === 'GET /v1/ordinary HTTP/1.1'));
  const look = () => rig.proxy.control.status().connections;
  await until(look, (connections) => connections === 0, 'connections');
});

/** A tunnel to the intercepted host, as a plain socket. */
async function tunnel(): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port: place().rig.proxy.port, noDelay: true });
  socket.on('error', () => {});
  socket.write(CONNECT);
  let head = '';
  for await (const [piece] of events(socket)) {
    head += String(piece);
    if (head.endsWith('\r\n\r\n')) break;
  }
  assert.match(head, /^HTTP\/1.1 200 /);
  return socket;
}

/** The data events of a socket; it is paused behind the last one that was looked at. */
async function* events(socket: net.Socket): AsyncGenerator<[Buffer]> {
  for (;;) yield (await once(socket, 'data')) as [Buffer];
}

/** Lets the client's bytes pass up to a number, then ends the connection. */
class Cut extends Duplex {
  readonly #below: net.Socket;
  readonly #end: (socket: net.Socket) => void;
  #left: number;
  /** Bytes that the client wrote. */
  written = 0;

  constructor(below: net.Socket, limit: number, end: (socket: net.Socket) => void) {
    super();
    this.#below = below;
    this.#left = limit;
    this.#end = end;
    below.on('data', (bytes: Buffer) => this.push(bytes));
    below.on('end', () => this.push(null));
    below.on('close', () => this.destroy());
    this.on('error', () => {});
  }

  override _read(): void {}

  /** A handshake that turned out shorter than the last one ends by itself. */
  override _final(done: () => void): void {
    this.#below.end();
    done();
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.written += bytes.length;
    if (this.#left === 0) {
      done();
      return;
    }
    const passed = bytes.subarray(0, this.#left);
    this.#left -= passed.length;
    this.#below.write(passed, () => {
      if (this.#left === 0) this.#end(this.#below);
      done();
    });
  }
}

/** Shakes hands over a connection that ends behind so many bytes of the client; gives all it wrote. */
async function shake(
  limit: number,
  end: (socket: net.Socket) => void,
  options: tls.ConnectionOptions = {},
): Promise<number> {
  const below = await tunnel();
  const cut = new Cut(below, limit, end);
  const socket = tls.connect({ socket: cut, servername: HOST, ca: place().rig.ca, ...options });
  socket.on('error', () => {});
  socket.once('secureConnect', () => socket.end('GET /v1/cut HTTP/1.1\r\n'));
  socket.resume();
  await until(
    () => below.destroyed || below.readableEnded,
    (isOver) => isOver,
    'the end of a handshake',
  );
  below.destroy();
  return cut.written;
}

const ENDS: readonly (readonly [string, (socket: net.Socket) => void])[] = [
  ['FIN', (socket) => socket.end()],
  ['RST', (socket) => socket.resetAndDestroy()],
];
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

for (const version of VERSIONS) {
  for (const [how, end] of ENDS) {
    test(`${version} handshakes that end by ${how}, wherever`, async () => {
      const options = { minVersion: version, maxVersion: version };
      const whole = await shake(Number.MAX_SAFE_INTEGER, end, options);
      // Around the borders of a record's header, of the first flight, and between.
      const places = [1, 4, 5, 6, 9, 50, 200, whole - 60, whole - 30, whole - 6, whole - 1];
      await Promise.all(places.map((limit) => shake(limit, end, options)));
    });
  }
}

/** Sends bytes into a tunnel and waits until the proxy has ended it. */
async function sendInto(bytes: Buffer): Promise<Buffer> {
  const socket = await tunnel();
  const answer: Buffer[] = [];
  socket.on('data', (piece: Buffer) => answer.push(piece));
  socket.write(bytes);
  await until(
    () => socket.readableEnded || socket.destroyed,
    (isOver) => isOver,
    'the end of a tunnel',
  );
  socket.destroy();
  return Buffer.concat(answer);
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('records that begin no handshake', () => {
  const records: readonly (readonly [string, Buffer])[] = [
    ['a fatal alert: handshake_failure', hex('15 0303 0002 0228')],
    ['a fatal alert: unknown_ca', hex('15 0303 0002 0230')],
    ['a warning: close_notify', hex('15 0303 0002 0100')],
    ['an alert of three bytes', hex('15 0303 0003 022800')],
    ['application data', hex('17 0303 0005 0102030405')],
    ['a change of cipher', hex('14 0303 0001 01')],
    ['a record of 65,535 bytes', Buffer.concat([hex('16 0301 ffff'), Buffer.alloc(65_535)])],
    ['an empty handshake record', hex('16 0301 0000')],
    ['a hello of 16 MB', Buffer.concat([hex('16 0301 4000 01 ffffff'), Buffer.alloc(16_380)])],
    ['a server hello', hex('16 0303 0004 02000000')],
    ['SSL 2', hex('80 2e 01 0002 0015 0000 0010')],
    ['SSL 3', hex('16 0300 0004 01000000')],
    ['heartbeat', hex('18 0302 0003 014000')],
    ['noise', Buffer.alloc(300, 0xa5)],
    ['zeros', Buffer.alloc(300)],
    ['an SSH greeting', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')],
    ['CONNECT once more', Buffer.from(CONNECT)],
  ];
  for (const [name, bytes] of records) {
    test(name, async () => {
      // A record that waits for more is no error yet: its sender ends it.
      const waits = /^(an empty handshake record|a hello of|SSL 2)/.test(name);
      if (waits) await sendAndEnd(bytes);
      else assert.doesNotMatch((await sendInto(bytes)).toString('latin1'), /HTTP\/1/);
    });
  }
});

async function sendAndEnd(bytes: Buffer): Promise<void> {
  const socket = await tunnel();
  socket.end(bytes);
  socket.resume();
  await once(socket, 'close');
}

interface Handshake {
  /** Null where there is none. */
  readonly error: string | null;
  readonly socket: tls.TLSSocket;
}

async function handshake(options: tls.ConnectionOptions): Promise<Handshake> {
  const below = await tunnel();
  below.removeAllListeners('data');
  const socket = tls.connect({ socket: below, servername: HOST, ca: place().rig.ca, ...options });
  const error = await new Promise<string | null>((resolve) => {
    socket.once('secureConnect', () => resolve(null));
    socket.once('error', (cause: NodeJS.ErrnoException) => resolve(cause.code ?? cause.message));
    socket.once('close', () => resolve('closed'));
  });
  socket.on('error', () => {});
  return { error, socket };
}

test('TLS 1.0 and 1.1 are refused by alert', async () => {
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    const { error, socket } = await handshake({
      minVersion: version,
      maxVersion: version,
      ciphers: 'ALL:@SECLEVEL=0',
    });
    assert.match(String(error), /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/);
    socket.destroy();
  }
});

test('a client that offers no protocol of ours is refused by alert', async () => {
  const { error, socket } = await handshake({ ALPNProtocols: ['spdy/3', 'imap'] });
  assert.match(String(error), /NO_APPLICATION_PROTOCOL/);
  socket.destroy();
});

test('a weak cipher alone is refused', async () => {
  const { error, socket } = await handshake({
    maxVersion: 'TLSv1.2',
    ciphers: 'NULL-SHA256:AES128-SHA:@SECLEVEL=0',
  });
  assert.notEqual(error, null);
  socket.destroy();
});

test('another server name is told 421, an absent one is served', async () => {
  for (const [servername, status] of [
    ['example.com', '421'],
    ['', '200'],
  ] as const) {
    const { error, socket } = await handshake({ servername, checkServerIdentity: () => undefined });
    assert.equal(error, null);
    socket.write(`GET /v1/ordinary HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.equal(answer.toString('latin1', 9, 12), status);
    socket.destroy();
  }
});

/** A client whose TLS runs over a socket that can be written to besides. */
async function secureOver(options: tls.ConnectionOptions): Promise<{
  readonly below: net.Socket;
  readonly socket: tls.TLSSocket;
}> {
  const below = await tunnel();
  const pass = new Cut(below, Number.MAX_SAFE_INTEGER, () => {});
  const socket = tls.connect({ socket: pass, servername: HOST, ca: place().rig.ca, ...options });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return { below, socket };
}

test('renegotiation is not done, however often it is asked for', async () => {
  const { below, socket } = await secureOver({ maxVersion: 'TLSv1.2' });
  const first = socket.getFinished()?.toString('hex');
  for (let round = 0; round < 20 && !socket.destroyed; round += 1) socket.renegotiate({}, () => {});
  // OpenSSL's client gives up by itself where it is told no.
  socket.write(`GET /v1/ordinary HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  let isOver = false;
  for (const event of ['data', 'error', 'close']) {
    socket.once(event, () => {
      isOver = true;
    });
  }
  await until(
    () => isOver || socket.destroyed,
    (seen) => seen,
    'an answer, or an end',
  );
  assert.equal(socket.getFinished()?.toString('hex') ?? first, first, 'the first handshake');
  below.destroy();
});

test('a record that is broken in the middle of a connection ends it, without an answer', async () => {
  for (const version of VERSIONS) {
    const { below, socket } = await secureOver({ minVersion: version, maxVersion: version });
    let answer = '';
    socket.on('data', (piece: Buffer) => {
      answer += piece.toString('latin1');
    });
    socket.write(`GET /v1/hostile HTTP/1.1\r\nHost: ${HOST}\r\n`, () => {
      below.write(hex('17 0303 0014 0102030405060708090a0b0c0d0e0f1011121314'));
    });
    await until(
      () => below.readableEnded || below.destroyed,
      (isOver) => isOver,
      'the end of the connection',
    );
    assert.equal(answer, '');
    below.destroy();
  }
});

test('TLS on the plain port is closed without an answer', async () => {
  const socket = tls.connect({ host: '127.0.0.1', port: place().rig.proxy.port, servername: HOST });
  const [cause] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.match(`${cause.code} ${cause.message}`, /ECONNRESET|disconnected|EPIPE/);
  socket.destroy();
});
