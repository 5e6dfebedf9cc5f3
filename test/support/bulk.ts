/**
 * Much at once: clients of every way and protocol that count and hash what they get, and an upstream
 * that takes bodies of any size and streams answers of any length.
 */
import { createHash } from 'node:crypto';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type net from 'node:net';
import type { Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import { mintServer } from '../../src/pki/authority.ts';
import type { Cleanup } from './home.ts';
import { dispatcherFor, FAKE_API_KEY } from './sdk.ts';

/** A way to the proxy. */
export interface Way {
  readonly mode: 'connect' | 'gateway';
  readonly protocol: 'h1' | 'h2';
}

export const WAYS: readonly Way[] = [
  { mode: 'connect', protocol: 'h1' },
  { mode: 'connect', protocol: 'h2' },
  { mode: 'gateway', protocol: 'h1' },
  { mode: 'gateway', protocol: 'h2' },
];

/** Where the proxy is, and how its tunnels prove themselves. */
export interface Door {
  readonly url: string;
  readonly ca: string;
}

export interface BulkAnswer {
  readonly status: number;
  readonly bytes: number;
  /** Hex SHA-256 of the payload. */
  readonly sha256: string;
}

export interface BulkClient {
  /** Sends a body and gives the answer while its body waits to be read. */
  open(body: Buffer | Readable, path?: string): Promise<Dispatcher.ResponseData>;
  /** Sends a body and reads the answer to its end. */
  send(body: Buffer | Readable, path?: string): Promise<BulkAnswer>;
}

/** A client of that way, until the test is over. */
export function bulkClient(context: Cleanup, { mode, protocol }: Way, door: Door): BulkClient {
  const proxyUrl = door.url;
  const route = mode === 'connect' ? { mode, proxyUrl, ca: door.ca } : { mode, proxyUrl };
  const dispatcher = dispatcherFor(route, protocol);
  context.after(() => dispatcher.destroy());
  const origin = mode === 'connect' ? 'https://api.anthropic.com' : proxyUrl;
  const open: BulkClient['open'] = (body, path = '/v1/messages') =>
    request(`${origin}${path}`, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': FAKE_API_KEY },
      body,
    });
  return {
    open,
    async send(body, path) {
      const { statusCode, body: payload } = await open(body, path);
      return { status: statusCode, ...(await digestOf(payload)) };
    },
  };
}

/** Reads a stream to its end. */
export async function digestOf(stream: AsyncIterable<Buffer>): Promise<Omit<BulkAnswer, 'status'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of stream) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Hex SHA-256. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface BulkUpstream {
  readonly port: number;
  readonly ca: string;
}

/**
 * An upstream of both protocols on node's own servers, whose parser owes nothing to the program's codec.
 * What it is asked and what it answers is of the kind that its types call HTTP/2, on HTTP/1.1 too.
 *
 * @param speaks with `h2` it refuses HTTP/1.1 in the handshake, so that large bodies come by HTTP/2
 */
export async function bulkUpstream(
  context: Cleanup,
  serve: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
  speaks: 'both' | 'h2' = 'both',
): Promise<BulkUpstream> {
  const keys = await mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now: new Date() });
  const { certPem: cert, keyPem: key } = keys;
  const server = http2.createSecureServer({ cert, key, allowHTTP1: speaks === 'both' }, serve);
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as net.AddressInfo).port, ca: keys.caCertPem };
}

/** A body for `/v1/messages` of exactly so many bytes, the model first or last, each with its own text. */
export function bodyOf(bytes: number, model: string, place: 'first' | 'last', mark = ''): Buffer {
  const directive = `[twin: say got it] ${mark} `;
  const shell = (text: string): string => {
    const rest = { max_tokens: 100, messages: [{ role: 'user', content: text }], stream: true };
    return JSON.stringify(place === 'first' ? { model, ...rest } : { ...rest, model });
  };
  const room = bytes - Buffer.byteLength(shell(directive));
  return Buffer.from(shell(directive + 'x'.repeat(room)));
}
