/**
 * The network side of the twin: one TLS port that speaks HTTP/1.1 and HTTP/2 by ALPN, on node:http
 * and node:http2. An implementation independent of the program's own codec, on purpose.
 *
 * HTTP/2 settings are those of api.anthropic.com: 100 concurrent streams, 64 KiB initial window.
 */
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import tls from 'node:tls';
import { HEAD_BYTES_MAX } from '../core/limits.ts';
import type { Field } from './types.ts';

const H2_SETTINGS = { maxConcurrentStreams: 100, initialWindowSize: 65_535, enablePush: false };
/** Cloudflare keeps idle connections this long. */
const KEEP_ALIVE_MS = 400_000;
/** Fields that HTTP/2 forbids (RFC 9113 section 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
]);

/** One request on the wire, before its body was read, and the way to answer it. */
export interface WireExchange {
  readonly protocol: 'h1' | 'h2';
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
  readonly connection: number;
  readonly input: Readable;
  /** Payload goes here after `head`; its `close` is the end of the exchange. */
  readonly output: Writable;
  /** Sends status and fields. Connection-level fields are left out where HTTP/2 forbids them. */
  head(status: number, fields: readonly Field[]): void;
  /** Asked when `output` has finished or closed: the answer was handed over to its last byte. */
  delivered(): boolean;
}

export interface Listener {
  readonly port: number;
  /** Connections open now. */
  connections(): number;
  close(): Promise<void>;
}

/** What is needed to listen. */
export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly certPem: string;
  readonly keyPem: string;
  readonly onExchange: (exchange: WireExchange) => void;
}

/**
 * Listens for TLS connections.
 *
 * @throws Error (rejected) when the address can not be bound
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  let lastConnection = 0;
  const sockets = new Set<Socket>();
  const sessions = new WeakMap<object, number>();
  const h1 = http.createServer({ maxHeaderSize: HEAD_BYTES_MAX, keepAliveTimeout: KEEP_ALIVE_MS });
  const h2 = http2.createServer({ settings: H2_SETTINGS });
  const h1Ids = new WeakMap<object, number>();

  h1.on('request', (request, response) => {
    options.onExchange(h1Exchange(request, response, h1Ids.get(request.socket) ?? 0));
  });
  h2.on('session', (session) => {
    lastConnection += 1;
    sessions.set(session, lastConnection);
    session.on('error', ignore);
  });
  // The declared type of the event leaves out its fourth argument, the raw field list.
  h2.on(
    'stream',
    (
      stream: http2.ServerHttp2Stream,
      headers: http2.IncomingHttpHeaders,
      _flags: number,
      rawHeaders?: unknown,
    ) => {
      const id = stream.session === undefined ? 0 : (sessions.get(stream.session) ?? 0);
      options.onExchange(h2Exchange(stream, headers, rawHeaders, id));
    },
  );

  const server = tls.createServer({
    cert: options.certPem,
    key: options.keyPem,
    ALPNProtocols: ['h2', 'http/1.1'],
    noDelay: true,
  });
  server.on('connection', (socket: Socket) => {
    socket.on('error', ignore);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', ignore);
  server.on('secureConnection', (socket) => {
    socket.on('error', ignore);
    if (socket.alpnProtocol === 'h2') {
      h2.emit('connection', socket);
      return;
    }
    lastConnection += 1;
    h1Ids.set(socket, lastConnection);
    h1.emit('connection', socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A peer that resets is an everyday event for an upstream: the exchange sees `close`. */
function ignore(): void {}

function h1Exchange(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  connection: number,
): WireExchange {
  request.on('error', ignore);
  response.on('error', ignore);
  response.sendDate = false;
  const lastOne = /(^|,)\s*close\s*(,|$)/i.test(request.headers.connection ?? '');
  return {
    protocol: 'h1',
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    fields: pairs(request.rawHeaders),
    connection,
    input: request,
    output: response,
    head: (status, fields) => {
      const all: Field[] = [...fields, ['Connection', lastOne ? 'close' : 'keep-alive']];
      response.writeHead(status, all.flat());
      // An answer may begin with silence: its head must not wait for the first piece.
      response.flushHeaders();
    },
    delivered: () => response.writableFinished,
  };
}

function h2Exchange(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  rawHeaders: unknown,
  connection: number,
): WireExchange {
  stream.on('error', ignore);
  return {
    protocol: 'h2',
    method: headers[':method'] ?? 'GET',
    target: headers[':path'] ?? '/',
    fields: Array.isArray(rawHeaders) ? pairs(rawHeaders.map(String)) : [],
    connection,
    input: stream,
    output: stream,
    head: (status, fields) => {
      const out: http2.OutgoingHttpHeaders = { ':status': status };
      for (const [name, value] of fields) {
        const lower = name.toLowerCase();
        if (CONNECTION_FIELDS.has(lower)) continue;
        const before = out[lower];
        out[lower] =
          before === undefined
            ? value
            : Array.isArray(before)
              ? [...before, value]
              : [String(before), value];
      }
      stream.respond(out);
    },
    // A stream may close before it reports its finish, and Node finishes one that was reset.
    delivered: () =>
      stream.writableEnded &&
      !stream.aborted &&
      stream.rstCode === http2.constants.NGHTTP2_NO_ERROR,
  };
}

function pairs(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) fields.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return fields;
}
