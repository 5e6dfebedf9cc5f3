/**
 * An upstream, or any other host, that keeps every byte it receives, as it came from the socket or out of
 * TLS. It reads HTTP/1.1 by itself and answers what it was told to.
 */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import type { MintedServer } from '../../../pki/authority.ts';

/** A request, as it stood on the wire. */
export interface RecordedRequest {
  readonly connection: number;
  /** From the request line to the empty line. */
  readonly head: string;
  readonly body: Buffer;
}

/** What to answer; `end` closes the connection behind it. */
export interface Reply {
  readonly bytes: string;
  readonly end?: boolean;
}

export interface Recorder {
  readonly port: number;
  /** Whole requests. */
  readonly requests: readonly RecordedRequest[];
  /** Every other byte: of requests that did not come to their end, and behind a switch of protocols. */
  rests(): readonly Buffer[];
  close(): Promise<void>;
}

/** Headers are one character a byte. */
const END_OF_HEAD = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

/**
 * Listens on loopback.
 *
 * @param certificate null: without TLS
 */
export async function startRecorder(
  certificate: Pick<MintedServer, 'certPem' | 'keyPem'> | null,
  reply: (request: RecordedRequest) => Reply,
): Promise<Recorder> {
  const requests: RecordedRequest[] = [];
  const rests: (() => Buffer)[] = [];
  const sockets = new Set<net.Socket>();
  const serve = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    rests.push(record(socket, rests.length, reply, requests));
  };
  const server =
    certificate === null
      ? net.createServer({ noDelay: true }, serve)
      : tls.createServer(
          { cert: certificate.certPem, key: certificate.keyPem, ALPNProtocols: ['http/1.1'] },
          serve,
        );
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    rests: () => rests.map((rest) => rest()).filter((rest) => rest.length > 0),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Returns what gives the bytes that are no part of a whole request, so far. */
function record(
  socket: net.Socket,
  connection: number,
  reply: (request: RecordedRequest) => Reply,
  requests: RecordedRequest[],
): () => Buffer {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let needed = 1;
  let switched = false;
  socket.on('data', (piece: Buffer) => {
    held.push(piece);
    heldBytes += piece.length;
    while (heldBytes >= needed && !switched) {
      const bytes = Buffer.concat(held);
      const next = firstRequest(bytes);
      held = [bytes];
      needed = typeof next === 'number' ? next : 1;
      if (typeof next === 'number') break;
      held = [bytes.subarray(next.length)];
      heldBytes -= next.length;
      const request = { connection, head: next.head, body: next.body };
      requests.push(request);
      const { bytes: answer, end = false } = reply(request);
      switched = answer.startsWith('HTTP/1.1 101');
      socket.write(answer, 'latin1');
      if (end) socket.end();
    }
    // Behind a switch of protocols there are no requests any more.
    if (switched && heldBytes > 0) socket.end();
  });
  return () => Buffer.concat(held);
}

/** The first whole request, or how many bytes there must be before it can be whole. */
function firstRequest(held: Buffer): { head: string; body: Buffer; length: number } | number {
  const end = held.indexOf(END_OF_HEAD);
  if (end < 0) return held.length + 1;
  const start = end + END_OF_HEAD.length;
  const head = held.toString('latin1', 0, start);
  let length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  if (/^transfer-encoding: *chunked/im.test(head)) {
    const last = held.indexOf(LAST_CHUNK, start);
    if (last < 0) return held.length + 1;
    length = last + LAST_CHUNK.length - start;
  }
  if (held.length < start + length) return start + length;
  return { head, body: held.subarray(start, start + length), length: start + length };
}
