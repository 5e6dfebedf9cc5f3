/**
 * A plain HTTP/1.1 upstream that keeps all that came, byte for byte, and answers each whole request.
 * What is whole it judges by itself, owing nothing to the program's codec.
 */
import net from 'node:net';
import { ByteReader } from '../support/byte-reader.ts';
import type { Cleanup } from '../support/home.ts';
import { type RecordedRequest, readRequest } from '../support/recording-upstream.ts';

export interface Recorder {
  readonly port: number;
  /** Whole requests, in the order in which they ended. */
  readonly requests: RecordedRequest[];
  /** All bytes that came, of all connections one after the other. */
  bytes(): number;
  /** Connections accepted so far. */
  opened(): number;
  /** Forgets what came. */
  clear(): void;
  /** What every further request is answered with: pieces, each written by itself; FIN behind them. */
  reply: (request: RecordedRequest) => {
    readonly pieces: readonly string[];
    readonly fin: boolean;
  };
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Starts one on loopback, until the test is over. */
export async function startRecorder(context: Cleanup): Promise<Recorder> {
  const open = new Set<net.Socket>();
  let bytes = 0;
  let opened = 0;
  const server = net.createServer((socket) => {
    open.add(socket);
    opened += 1;
    socket.on('error', () => {});
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    socket.once('close', () => open.delete(socket));
    serve(socket, recorder).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const recorder: Recorder = {
    port: (server.address() as net.AddressInfo).port,
    requests: [],
    opened: () => opened,
    bytes: () => bytes,
    clear() {
      bytes = 0;
      recorder.requests.length = 0;
    },
    reply: () => ({ pieces: [OK], fin: false }),
  };
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  );
  return recorder;
}

async function serve(socket: net.Socket, recorder: Recorder): Promise<void> {
  const reader = new ByteReader(socket);
  for (;;) {
    const request = await readRequest(reader);
    recorder.requests.push(request);
    const { pieces, fin } = recorder.reply(request);
    for (const piece of pieces) {
      await new Promise((resolve) => socket.write(piece, 'latin1', resolve));
    }
    if (!fin) continue;
    socket.end();
    return;
  }
}
