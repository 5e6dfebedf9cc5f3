/**
 * A TCP relay that keeps what clients sent through it: the only way to see a client's own bytes
 * before the proxy reads them.
 */
import net from 'node:net';
import type { Cleanup } from './home.ts';
import type { Address } from './raw-client.ts';

export interface Wiretap extends Address {
  readonly url: string;
  /** What each client connection sent so far, oldest connection first. */
  sent(): readonly Buffer[];
  /** What was answered on each of them. */
  answered(): readonly Buffer[];
}

/** Starts one before an address, until the test is over. */
export async function wiretap(context: Cleanup, to: Address): Promise<Wiretap> {
  const kept: Buffer[][] = [];
  const heard: Buffer[][] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const pieces: Buffer[] = [];
    const answers: Buffer[] = [];
    kept.push(pieces);
    heard.push(answers);
    const upstream = net.connect({ host: to.host, port: to.port, allowHalfOpen: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('data', (piece: Buffer) => pieces.push(piece));
    upstream.on('data', (piece: Buffer) => answers.push(piece));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  const { port } = server.address() as net.AddressInfo;
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    sent: () => kept.map((pieces) => Buffer.concat(pieces)),
    answered: () => heard.map((pieces) => Buffer.concat(pieces)),
  };
}
