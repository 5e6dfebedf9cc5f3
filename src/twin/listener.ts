/**
 * The network side of the twin: one TLS port that speaks HTTP/1.1 and HTTP/2 by ALPN, on node:http
 * and node:http2. An implementation independent of the program's own codec, on purpose.
 *
 * HTTP/2 settings are those of api.anthropic.com: 100 concurrent streams, 64 KiB initial window.
 */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { HEAD_BYTES_MAX } from '../core/limits.ts';
import { type Connection, type ConnectionBreak, ignore, openConnection } from './connection.ts';
import type { ConnectionVerdict } from './faults.ts';
import type { BreakOff, Field } from './types.ts';

const H2_SETTINGS = { maxConcurrentStreams: 100, initialWindowSize: 65_535, enablePush: false };
/** Cloudflare keeps idle connections this long. */
const KEEP_ALIVE_MS = 400_000;
/** The port of an outage may be taken for a moment when it ends. */
const REOPEN_MS = 20;
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
  readonly connection: Connection;
  readonly input: Readable;
  /** Payload goes here after `head`; its `close` is the end of the exchange. */
  readonly output: Writable;
  /** Sends status and fields. Connection-level fields are left out where HTTP/2 forbids them. */
  head(status: number, fields: readonly Field[], mayBreak: boolean): void;
  /** Ends the answer improperly. @returns how it was done */
  breakOff(how: BreakOff): BreakOff['how'];
  /** HTTP/2: says that the connection ends with its last answer. */
  farewell(): void;
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
  /** Asked once for each connection. */
  readonly onConnection: () => ConnectionVerdict;
  readonly onExchange: (exchange: WireExchange) => void;
}

/**
 * Listens for TLS connections.
 *
 * @throws Error (rejected) when the address can not be bound
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const context = createSecureContext({ cert: options.certPem, key: options.keyPem });
  const sockets = new Set<Socket>();
  const connections = new WeakMap<object, Connection>();
  const h1 = http.createServer({ maxHeaderSize: HEAD_BYTES_MAX, keepAliveTimeout: KEEP_ALIVE_MS });
  let lastConnection = 0;
  let server: Server | null = null;
  let reopening: NodeJS.Timeout | undefined;

  const begin = (exchange: Unguarded): void => {
    const { connection, output } = exchange;
    connection.busy(exchange.stream);
    output.once('close', connection.rest);
    options.onExchange({
      ...exchange,
      breakOff: (how) => {
        if (how.how !== 'outage') return exchange.breakOff(how);
        outage(how.ms);
        return how.how;
      },
    });
  };
  h1.on('request', (request, response) => {
    const connection = connections.get(request.socket);
    if (connection === undefined) request.socket.destroy();
    else begin(h1Exchange(request, response, connection));
  });
  const open = (connection: Connection): void => {
    if (connection.protocol === 'h1') {
      connections.set(connection.socket, connection);
      h1.emit('connection', connection.socket);
      return;
    }
    const session = http2.performServerHandshake(connection.socket, { settings: H2_SETTINGS });
    session.on('error', ignore);
    connection.attach(session);
    // The declared type of the event leaves out its fourth argument, the raw field list.
    session.on('stream', (stream, headers, _flags, rawHeaders?: unknown) => {
      if (connection.leaving) refuse(stream);
      else begin(h2Exchange(stream, headers, rawHeaders, connection));
    });
    // A server's TLS socket made by hand never says so itself, and the session waits for it.
    connection.socket.emit('secureConnect');
  };
  const accept = (tcp: Socket): void => {
    tcp.on('error', ignore);
    sockets.add(tcp);
    tcp.once('close', () => sockets.delete(tcp));
    const id = (): number => {
      lastConnection += 1;
      return lastConnection;
    };
    openConnection(tcp, { id, context, verdict: options.onConnection(), onOpen: open });
  };
  const bind = async (port: number): Promise<Server> => {
    const bound = net.createServer({ noDelay: true }, accept);
    bound.listen(port, options.host);
    await once(bound, 'listening');
    return bound;
  };
  const outage = (ms: number): void => {
    server?.close();
    server = null;
    for (const socket of sockets) socket.resetAndDestroy();
    clearTimeout(reopening);
    reopening = setTimeout(reopen, ms);
  };
  const reopen = (): void => {
    bind(port).then(
      (bound) => {
        // Closed meanwhile, there is nobody left to close it.
        if (closed) bound.close();
        else server = bound;
      },
      () => {
        if (!closed) reopening = setTimeout(reopen, REOPEN_MS);
      },
    );
  };

  let closed = false;
  server = await bind(options.port);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    connections: () => sockets.size,
    close: async () => {
      closed = true;
      clearTimeout(reopening);
      const ending = [...sockets].map((socket) => once(socket, 'close'));
      server?.close();
      for (const socket of sockets) socket.destroy();
      await Promise.all(ending);
    },
  };
}

/** An exchange that can break its own connection, and no other. */
type Unguarded = Omit<WireExchange, 'breakOff'> & {
  /** Id with HTTP/2, else 0. */
  readonly stream: number;
  breakOff(how: ConnectionBreak): BreakOff['how'];
};

function h1Exchange(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  connection: Connection,
): Unguarded {
  request.on('error', ignore);
  response.on('error', ignore);
  response.sendDate = false;
  const lastOne = /(^|,)\s*close\s*(,|$)/i.test(request.headers.connection ?? '');
  return {
    protocol: 'h1',
    stream: 0,
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
    breakOff: (how) => connection.breakOff(how, null),
    farewell: ignore,
    delivered: () => response.writableFinished,
  };
}

/** A stream that came while the connection was leaving: by its GOAWAY, it is not processed. */
function refuse(stream: http2.ServerHttp2Stream): void {
  stream.on('error', ignore);
  stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
}

function h2Exchange(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  rawHeaders: unknown,
  connection: Connection,
): Unguarded {
  stream.on('error', ignore);
  return {
    protocol: 'h2',
    stream: stream.id ?? 0,
    method: headers[':method'] ?? 'GET',
    target: headers[':path'] ?? '/',
    fields: Array.isArray(rawHeaders) ? pairs(rawHeaders.map(String)) : [],
    connection,
    input: stream,
    output: stream,
    head: (status, fields, mayBreak) => {
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
      // Node ends a stream properly before it resets it, unless there could be trailers.
      if (mayBreak) {
        stream.once('wantTrailers', () => {
          if (!stream.closed) stream.sendTrailers({});
        });
      }
      stream.respond(out, { waitForTrailers: mayBreak });
    },
    breakOff: (how) => connection.breakOff(how, stream),
    farewell: connection.farewell,
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
