/**
 * A TCP server of the test's own on loopback, for everything that is not HTTP or none of a lane's.
 */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import type { Cleanup } from './home.ts';
import type { Address } from './raw-client.ts';

/** Listens until the test is over. Connections are half-open and have an `error` listener. */
export async function startOrigin(
  context: Cleanup,
  serve: (socket: net.Socket) => void,
  host = '127.0.0.1',
): Promise<Address> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { host, port: (server.address() as AddressInfo).port };
}

/** A port of loopback where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
