/**
 * One request over a connection of its own, and all that came back, judged as a client must: an
 * answer is whole only if its own framing says so.
 */
import http2 from 'node:http2';
import type { Ending } from './byte-reader.ts';
import { type RawConnection, rawConnect } from './raw-client.ts';

/** The proxy, in this process or in one of its own. */
export interface Entrance {
  readonly port: number;
  readonly url: string;
}

/** How a client reaches the proxy. */
export type Shape = 'connect' | 'gateway' | 'h2';

/** What a client saw of one exchange. */
export interface Seen {
  /** Of the final answer; null where none came. */
  readonly status: number | null;
  /** Statuses of interim answers. */
  readonly interim: readonly number[];
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  /** The payload. */
  readonly body: Buffer;
  /** The answer came to the end that its framing demands. */
  readonly whole: boolean;
  /** FIN, an error code, or for HTTP/2 `end` or `reset N`. */
  readonly ending: Ending;
}

const HOST = 'api.anthropic.com';

/** Opens a connection through CONNECT (with these further field lines) or to the port itself. */
export function connectTo(
  proxy: Entrance,
  ca: string,
  shape: 'connect' | 'gateway',
  connectFields: readonly string[] = [],
): Promise<RawConnection> {
  const to = { host: '127.0.0.1', port: proxy.port };
  if (shape === 'gateway') return rawConnect({ to });
  return rawConnect({
    to,
    connect: { target: `${HOST}:443`, fields: connectFields },
    tls: { ca, servername: HOST, alpn: ['http/1.1'] },
  });
}

/** The head of a request, its framing included, that ends the connection with its answer. */
export function headOf(
  proxy: Entrance,
  shape: 'connect' | 'gateway',
  request: RequestParts,
): string {
  const host = shape === 'connect' ? HOST : `127.0.0.1:${proxy.port}`;
  const lines = [
    `${request.method ?? 'POST'} ${request.path ?? '/v1/messages'} HTTP/1.1`,
    `Host: ${host}`,
    ...Object.entries(request.fields ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(request.body === undefined ? [] : [`Content-Length: ${request.body.length}`]),
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Field lines of the CONNECT before it. */
  readonly connectFields?: readonly string[];
}

/** Sends one request and reads until the connection ends; `onBytes` sees the answer as it comes. */
export async function exchangeOnce(
  proxy: Entrance,
  ca: string,
  shape: Shape,
  request: RequestParts,
  onBytes: (bytes: Buffer) => void = () => {},
): Promise<Seen> {
  if (shape === 'h2') return exchangeHttp2(proxy, request, onBytes);
  const connection = await connectTo(proxy, ca, shape, request.connectFields);
  // Inside of a tunnel a reset looks like an end; only the socket below knows better.
  let broken: string | null = null;
  connection.tcp.on('error', (error: NodeJS.ErrnoException) => {
    broken = error.code ?? error.message;
  });
  connection.socket.on('data', onBytes);
  const head = Buffer.from(headOf(proxy, shape, request), 'latin1');
  await connection.send(Buffer.concat([head, request.body ?? Buffer.alloc(0)]));
  const all = await connection.reader.rest();
  const ending = await connection.reader.ending;
  connection.destroy();
  return readAll(all, broken ?? ending, request.method ?? 'POST');
}

/** Reads everything a connection brought as the answer to one request. */
export function readAll(all: Buffer, ending: Ending, method: string): Seen {
  const interim: number[] = [];
  let rest = all;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { ...NOTHING, interim, ending };
    const [start = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(start.split(' ')[1]);
    rest = rest.subarray(end + 4);
    if (status >= 100 && status < 200) {
      interim.push(status);
      continue;
    }
    const fields = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const bodiless = method === 'HEAD' || status === 204 || status === 304;
    const framed = bodiless
      ? { body: rest, whole: rest.length === 0 }
      : unframe(fields, rest, ending);
    return { status, interim, fields, ...framed, ending };
  }
}

const NOTHING = { status: null, fields: new Map(), body: Buffer.alloc(0), whole: false } as const;

function unframe(
  fields: ReadonlyMap<string, string>,
  wire: Buffer,
  ending: Ending,
): { body: Buffer; whole: boolean } {
  if (fields.get('transfer-encoding')?.toLowerCase() === 'chunked') return unchunk(wire);
  const length = fields.get('content-length');
  if (length === undefined) return { body: wire, whole: ending === 'fin' };
  return { body: wire, whole: wire.length === Number(length) };
}

function unchunk(wire: Buffer): { body: Buffer; whole: boolean } {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = wire.indexOf('\r\n', at);
    if (lineEnd < 0) return { body: Buffer.concat(pieces), whole: false };
    const size = Number.parseInt(wire.subarray(at, lineEnd).toString('latin1'), 16);
    at = lineEnd + 2;
    if (size === 0) break;
    pieces.push(wire.subarray(at, at + size));
    at += size + 2;
  }
  return { body: Buffer.concat(pieces), whole: wire.subarray(at).toString().endsWith('\r\n') };
}

/** With prior knowledge, on the plain port. */
async function exchangeHttp2(
  proxy: Entrance,
  request: RequestParts,
  onBytes: (bytes: Buffer) => void,
): Promise<Seen> {
  // node:http2 refuses an answer that comes while more than this waits to be sent, MB.
  const session = http2.connect(proxy.url, { maxSessionMemory: 256 });
  session.on('error', () => {});
  const stream = session.request({
    ':method': request.method ?? 'POST',
    ':path': request.path ?? '/v1/messages',
    ...request.fields,
    ...(request.body === undefined ? {} : { 'content-length': String(request.body.length) }),
  });
  const seen = {
    status: null as number | null,
    interim: [] as number[],
    fields: new Map<string, string>(),
    pieces: [] as Buffer[],
    ended: false,
  };
  stream.on('error', () => {});
  stream.on('headers', (headers) => void seen.interim.push(Number(headers[':status'])));
  stream.on('response', (headers) => {
    seen.status = Number(headers[':status']);
    for (const [name, value] of Object.entries(headers)) seen.fields.set(name, String(value));
  });
  stream.on('data', (piece: Buffer) => {
    seen.pieces.push(piece);
    onBytes(piece);
  });
  stream.on('end', () => {
    seen.ended = true;
  });
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.end(request.body);
  await closed;
  session.destroy();
  const whole = seen.ended && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR;
  return {
    status: seen.status,
    interim: seen.interim,
    fields: seen.fields,
    body: Buffer.concat(seen.pieces),
    whole,
    ending: whole ? 'end' : `reset ${stream.rstCode}`,
  };
}
