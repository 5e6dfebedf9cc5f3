/**
 * The smallest CONNECT proxy: every tunnel to one target leads to one address, and a reset of that
 * arrives as one. For tests of clients.
 */
import net from 'node:net';
import type { Cleanup } from './home.ts';
import type { Address } from './raw-client.ts';

export interface TunnelProxy extends Address {
  /** Bytes that came in one piece with each CONNECT head, behind it. */
  readonly early: readonly number[];
}

/**
 * Starts one on loopback, until the test is over.
 *
 * @param target the only CONNECT target that is not refused with 403
 */
export async function tunnelProxy(
  context: Cleanup,
  target: string,
  to: Address,
): Promise<TunnelProxy> {
  const early: number[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    client.on('error', () => {});
    sockets.add(client);
    client.once('data', (first: Buffer) => {
      const end = first.indexOf('\r\n\r\n') + 4;
      early.push(first.length - end);
      if (!first.toString('latin1').startsWith(`CONNECT ${target} `)) {
        client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      const upstream = net.connect({ host: to.host, port: to.port });
      upstream.on('error', () => {
        // A handle that is shutting down can not be reset, and node leaves it open where it fails to.
        if (client.writableEnded) client.destroy();
        else client.resetAndDestroy();
      });
      client.on('close', () => upstream.destroy());
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(first.subarray(end));
      client.pipe(upstream).pipe(client);
    });
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
  return { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port, early };
}
