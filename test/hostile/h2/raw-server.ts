/**
 * An upstream that speaks HTTP/2 in raw frames over TLS, as a script tells it: it reads requests well, and
 * answers them in any way, valid or not.
 */
import type net from 'node:net';
import tls from 'node:tls';
import { mintServer } from '../../../src/pki/authority.ts';
import type { Cleanup } from '../../support/home.ts';
import {
  blockOf,
  codeName,
  FLAG,
  type Frame,
  FrameReader,
  frame,
  PREFACE,
  settings,
  settingsAck,
  TYPE,
} from './frames.ts';
import { block, HpackDecoder, type Line } from './hpack.ts';

/** A request whose head has come, and the connection that it came on. */
export interface Asked {
  readonly stream: number;
  readonly path: string;
  readonly lines: readonly Line[];
  send(...frames: readonly Buffer[]): void;
  /** HEADERS with these lines. */
  head(lines: readonly Line[], isEnd?: boolean): Buffer;
  /** DATA. */
  body(payload: string | Buffer, isEnd?: boolean): Buffer;
  /** FIN behind what was sent. */
  finish(): void;
  /** RST of TCP. */
  destroy(): void;
  /** The connection is gone. */
  readonly isClosed: () => boolean;
}

export type Script = (asked: Asked) => void;

export interface RawServer {
  readonly port: number;
  /** PEM to trust. */
  readonly ca: string;
  /** What a connection begins with, from now on; default: empty SETTINGS. */
  opening: readonly Buffer[];
  /** What every further request is answered with. */
  script: Script;
  /** Frames that came, all connections together: type and stream, in their order. */
  readonly seen: string[];
  /** Connections accepted so far. */
  connections(): number;
  /** Those that are open. */
  open(): number;
}

const NAMES = Object.keys(TYPE);

export async function openRawServer(context: Cleanup): Promise<RawServer> {
  const keys = await mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now: new Date() });
  const sockets = new Set<net.Socket>();
  let accepted = 0;
  const server = tls.createServer({
    cert: keys.certPem,
    key: keys.keyPem,
    ALPNProtocols: ['h2'],
  });
  server.on('tlsClientError', () => {});
  server.on('connection', (socket: net.Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const raw: RawServer = {
    port: (server.address() as net.AddressInfo).port,
    ca: keys.caCertPem,
    opening: [settings()],
    script: () => {},
    seen: [],
    connections: () => accepted,
    open: () => sockets.size,
  };
  server.on('secureConnection', (socket) => {
    accepted += 1;
    socket.on('error', () => {});
    serve(socket, raw);
  });
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return raw;
}

function serve(socket: tls.TLSSocket, raw: RawServer): void {
  const reader = new FrameReader();
  const decoder = new HpackDecoder();
  let preface = PREFACE.length;
  let parts: Buffer[] = [];
  const send = (...frames: readonly Buffer[]): void => {
    if (socket.writable) socket.write(Buffer.concat(frames));
  };
  const take = (one: Frame): void => {
    raw.seen.push(nameOf(one));
    if (one.type === TYPE.SETTINGS && (one.flags & FLAG.ACK) === 0) send(settingsAck());
    if (one.type === TYPE.PING && (one.flags & FLAG.ACK) === 0) {
      send(frame(TYPE.PING, FLAG.ACK, 0, one.payload));
    }
    if (one.type === TYPE.HEADERS) parts = [blockOf(one)];
    else if (one.type === TYPE.CONTINUATION) parts.push(one.payload);
    else return;
    if ((one.flags & FLAG.END_HEADERS) === 0) return;
    const lines = decoder.decode(Buffer.concat(parts));
    const path = lines.find(([name]) => name === ':path')?.[1];
    // Trailers have none.
    if (path !== undefined) raw.script(askedOf(socket, send, one.stream, path, lines));
  };
  send(...raw.opening);
  socket.on('data', (bytes: Buffer) => {
    const skipped = Math.min(preface, bytes.length);
    preface -= skipped;
    for (const one of reader.push(bytes.subarray(skipped))) take(one);
  });
  socket.on('end', () => socket.end());
}

/** `HEADERS 1`, `RST_STREAM 1 CANCEL`, `DATA 1 END_STREAM`. */
function nameOf({ type, flags, stream, payload }: Frame): string {
  const name = NAMES[type] ?? `type ${type}`;
  if (type === TYPE.RST_STREAM) return `${name} ${stream} ${codeName(payload.readUInt32BE(0))}`;
  const canEnd = type === TYPE.DATA || type === TYPE.HEADERS;
  const end = canEnd && (flags & FLAG.END_STREAM) !== 0 ? ' END_STREAM' : '';
  return `${name} ${stream}${end}`;
}

function askedOf(
  socket: tls.TLSSocket,
  send: Asked['send'],
  stream: number,
  path: string,
  lines: readonly Line[],
): Asked {
  return {
    stream,
    path,
    lines,
    send,
    head: (answer, isEnd = false) =>
      frame(TYPE.HEADERS, FLAG.END_HEADERS | (isEnd ? FLAG.END_STREAM : 0), stream, block(answer)),
    body: (payload, isEnd = false) =>
      frame(TYPE.DATA, isEnd ? FLAG.END_STREAM : 0, stream, Buffer.from(payload)),
    finish: () => socket.end(),
    destroy: () => socket.destroy(),
    isClosed: () => socket.destroyed,
  };
}
