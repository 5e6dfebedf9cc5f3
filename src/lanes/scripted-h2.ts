/**
 * Support for the tests of this room: an HTTP/2 upstream on loopback with a handler for each stream.
 */
import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import type { LanesOptions } from './create.ts';
import type { Lane, LaneRequest } from './lane.ts';
import { laneTo, requestOf, type ServerKeys, upstreamAt } from './scripted-upstream.ts';

export interface ScriptedH2 {
  readonly lane: Lane;
  readonly sessions: readonly http2.ServerHttp2Session[];
  readonly sockets: readonly net.Socket[];
  close(): Promise<void>;
}

export type StreamHandler = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  raw: readonly string[],
) => void;

/** Starts an HTTP/2 server and a lane that prefers HTTP/2 and points at it. */
export async function scriptH2(
  keys: ServerKeys & { readonly caCertPem: string },
  handler: StreamHandler,
  options: { server?: http2.SecureServerOptions; lane?: Partial<LanesOptions> } = {},
): Promise<ScriptedH2> {
  const sessions: http2.ServerHttp2Session[] = [];
  const sockets: net.Socket[] = [];
  const server = http2.createSecureServer({
    cert: keys.certPem,
    key: keys.keyPem,
    ...options.server,
  });
  server.on('connection', (socket: net.Socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
  });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers, _flags, raw) => {
    stream.on('error', () => {});
    handler(stream as http2.ServerHttp2Stream, headers, raw as unknown as string[]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const lane = laneTo(
    upstreamAt(port, { scheme: 'https', host: 'localhost', ca: keys.caCertPem }),
    { http2: 'always', ...options.lane },
  );
  return {
    lane,
    sessions,
    sockets,
    async close() {
      lane.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A POST of that many bytes. */
export function postOf(length: number): LaneRequest {
  return requestOf({
    method: 'POST',
    target: '/v1/messages',
    fields: [
      ['Host', 'x'],
      ['Content-Length', String(length)],
    ],
    framing: { kind: 'length', length },
  });
}

/** A frame of HTTP/2 (RFC 9113 section 4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
