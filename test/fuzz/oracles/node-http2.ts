/**
 * node:http2 itself as an oracle: a session over loopback, on which heads are sent and looked at where
 * they arrive. It throws at what it does not take, and what nghttp2 refuses never comes.
 */
import { once } from 'node:events';
import http2, { type OutgoingHttpHeaders } from 'node:http2';
import type net from 'node:net';
import type { Field } from '../../../src/core/message.ts';

/** What a server sends on one stream. */
export interface SentAnswer {
  readonly interims: readonly OutgoingHttpHeaders[];
  readonly head: OutgoingHttpHeaders;
}

type Answer = (stream: http2.ServerHttp2Stream) => void;

let opened: Promise<http2.ClientHttp2Session> | null = null;
let answer: Answer = () => {};

/**
 * The fields of the head as they arrive, without the pseudo-fields; null where the stream was reset.
 *
 * @throws what node:http2 throws at a head
 */
export async function throughHttp2({ interims, head }: SentAnswer): Promise<Field[] | null> {
  opened ??= open();
  const session = await opened;
  session.ref();
  const outcome = Promise.withResolvers<Field[] | null>();
  try {
    send(session, { interims, head }, outcome);
    return await outcome.promise;
  } finally {
    // An idle session keeps no process alive.
    session.unref();
  }
}

function send(
  session: http2.ClientHttp2Session,
  { interims, head }: SentAnswer,
  { resolve, reject }: PromiseWithResolvers<Field[] | null>,
): void {
  answer = (stream) => {
    try {
      for (const interim of interims) stream.additionalHeaders(interim);
      stream.respond(head, { endStream: true });
    } catch (error) {
      reject(error);
      stream.destroy();
    }
  };
  const request = session.request({ ':path': '/' });
  request.on('response', (_headers, _flags, raw: string[]) => {
    const fields: Field[] = [];
    for (let i = 0; i + 1 < raw.length; i += 2) {
      const name = raw[i] ?? '';
      if (!name.startsWith(':')) fields.push([name, raw[i + 1] ?? '']);
    }
    resolve(fields);
  });
  request.on('error', () => resolve(null));
  request.on('close', () => resolve(null));
  request.resume();
}

async function open(): Promise<http2.ClientHttp2Session> {
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    answer(stream as http2.ServerHttp2Stream);
  });
  server.on('connection', (socket: net.Socket) => socket.unref());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const { port } = server.address() as net.AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {
    opened = null;
  });
  await once(session, 'connect');
  return session;
}
