/**
 * An upstream that is nothing but a TLS socket: keeps every request byte for byte and answers with
 * exactly the bytes it is given. It understands only as much of HTTP/1.1 as tells where a message
 * ends, by a reader of its own: what it says about a message owes nothing to the program's codec.
 */
import type net from 'node:net';
import tls from 'node:tls';
import type { Config, UpstreamConfig } from '../../src/config/types.ts';
import { mintServer } from '../../src/pki/authority.ts';
import { ByteReader, EndedEarly } from './byte-reader.ts';
import type { Cleanup } from './home.ts';

export type Line = readonly [name: string, value: string];

/** A head as it stood on the wire, one character a byte. */
export interface WireHead {
  readonly start: string;
  readonly fields: readonly Line[];
}

/** A request, byte for byte. */
export interface RecordedRequest extends WireHead {
  /** The body as it was framed. */
  readonly wire: Buffer;
  /** The body's payload. */
  readonly payload: Buffer;
  /** Trailer lines, where it was chunked. */
  readonly trailers: readonly Line[];
}

/** What to answer: these bytes, each written by itself; then FIN, where it says so. */
export interface Reply {
  readonly pieces: readonly Buffer[];
  readonly closes: boolean;
}

export interface RecordingUpstream {
  readonly port: number;
  /** PEM to trust. */
  readonly ca: string;
  /** All requests, in the order in which they were complete. */
  readonly requests: RecordedRequest[];
  /** What every further request is answered with. */
  reply: (request: RecordedRequest) => Reply;
}

/** Starts one on loopback, until the test is over. */
export async function recordingUpstream(context: Cleanup): Promise<RecordingUpstream> {
  const keys = await mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now: new Date() });
  const sockets = new Set<net.Socket>();
  const server = tls.createServer({
    cert: keys.certPem,
    key: keys.keyPem,
    ALPNProtocols: ['http/1.1'],
  });
  server.on('connection', (socket: net.Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const upstream: RecordingUpstream = {
    port: (server.address() as net.AddressInfo).port,
    ca: keys.caCertPem,
    requests: [],
    reply: () => replyOf('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  };
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    serve(socket, upstream).catch((cause: unknown) => {
      if (!(cause instanceof EndedEarly)) socket.destroy();
    });
  });
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return upstream;
}

/** A reply of one piece that leaves the connection open. */
export function replyOf(bytes: string | Buffer): Reply {
  return {
    pieces: [typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes],
    closes: false,
  };
}

/** The configuration with a lane led to this upstream. */
export function leadLane(
  config: Config,
  lane: string,
  upstream: Pick<RecordingUpstream, 'port' | 'ca'>,
): Config {
  const lanes = new Map(config.lanes);
  const old = lanes.get(lane);
  if (old === undefined) throw new Error(`no lane ${lane}`);
  const { port, ca } = upstream;
  const to: UpstreamConfig = { ...old.upstream, scheme: 'https', host: '127.0.0.1', port, ca };
  lanes.set(lane, { ...old, upstream: to });
  return { ...config, lanes };
}

async function serve(socket: tls.TLSSocket, upstream: RecordingUpstream): Promise<void> {
  const reader = new ByteReader(socket);
  for (;;) {
    const request = await readRequest(reader);
    upstream.requests.push(request);
    const { pieces, closes } = upstream.reply(request);
    for (const piece of pieces) {
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    if (!closes) continue;
    socket.end();
    return;
  }
}

/**
 * Reads one request.
 *
 * @throws EndedEarly
 */
export async function readRequest(reader: ByteReader): Promise<RecordedRequest> {
  const head = parseHead(await reader.through('\r\n\r\n'));
  return { ...head, ...(await readBody(reader, head)) };
}

/** Takes a head apart: lines at CRLF, names before the first colon, values without their white space. */
export function parseHead(bytes: Buffer): WireHead {
  const [start = '', ...lines] = bytes.toString('latin1').slice(0, -4).split('\r\n');
  return { start, fields: lines.map(parseLine) };
}

function parseLine(line: string): Line {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
}

/** The values of a field (name in lower case). */
export function valuesOf(fields: readonly Line[], name: string): string[] {
  return fields.filter((field) => field[0].toLowerCase() === name).map((field) => field[1]);
}

type Body = Pick<RecordedRequest, 'wire' | 'payload' | 'trailers'>;

async function readBody(reader: ByteReader, { fields }: WireHead): Promise<Body> {
  if (valuesOf(fields, 'transfer-encoding').length > 0) return readChunked(reader);
  const length = Number(valuesOf(fields, 'content-length')[0] ?? 0);
  const wire = await reader.exactly(length);
  return { wire, payload: wire, trailers: [] };
}

async function readChunked(reader: ByteReader): Promise<Body> {
  const wire: Buffer[] = [];
  const payload: Buffer[] = [];
  for (;;) {
    const line = await reader.through('\r\n');
    wire.push(line);
    const size = Number.parseInt(line.toString('latin1'), 16);
    if (size === 0) break;
    const chunk = await reader.exactly(size + 2);
    wire.push(chunk);
    payload.push(chunk.subarray(0, size));
  }
  const trailers: Line[] = [];
  for (;;) {
    const line = await reader.through('\r\n');
    wire.push(line);
    if (line.length === 2) break;
    trailers.push(parseLine(line.toString('latin1').slice(0, -2)));
  }
  return { wire: Buffer.concat(wire), payload: Buffer.concat(payload), trailers };
}
