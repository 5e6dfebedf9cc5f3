/**
 * The origin behind the proxy, or behind a peer that is compared with it: node's own HTTP server, which
 * answers every request once it is whole and keeps its target. Slow cases get a large answer.
 */
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import { mintServer } from '../../../src/pki/authority.ts';
import type { Cleanup } from '../../support/home.ts';

export const LARGE_BYTES: number = 4 * 1024 * 1024;
const LARGE = Buffer.alloc(LARGE_BYTES, 'x');

export interface Origin {
  readonly port: number;
  /** PEM to trust; none where it is plain. */
  readonly ca: string;
  /** Method and target of each request that came whole. */
  readonly requests: string[];
  /** Connections that are open. */
  connections(): number;
}

export async function openOrigin(context: Cleanup, isPlain = false): Promise<Origin> {
  const keys = await mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now: new Date() });
  const requests: string[] = [];
  const answer: http.RequestListener = (request, response) => {
    request.resume();
    request.on('error', () => {});
    response.on('error', () => {});
    request.once('end', () => {
      requests.push(`${request.method} ${request.url}`);
      response.end(request.url?.includes('/a-slow-') === true ? LARGE : 'ok');
    });
  };
  const server = isPlain
    ? http.createServer(answer)
    : https.createServer({ cert: keys.certPem, key: keys.keyPem }, answer);
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    ca: keys.caCertPem,
    requests,
    connections: () => sockets.size,
  };
}
