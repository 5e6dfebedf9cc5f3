/**
 * What Node's sockets and OpenSSL cost, and nothing else: TLS ends here, TLS begins there, bytes go between.
 * No HTTP is read but the line of CONNECT. Nothing that proxies in Node can be cheaper.
 */
import { readFileSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { settings } from './settings.ts';

const { port, upstreamPort, host, caFile, certFile, keyFile } = settings();
const served = tls.createSecureContext({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
});
const trusted = tls.createSecureContext({ ca: readFileSync(caFile) });
let session: Buffer | undefined;

/** Opens the way to the upstream in the client's protocol. */
function upstream(protocol: string | false): Socket {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: upstreamPort,
    servername: host,
    secureContext: trusted,
    ALPNProtocols: [protocol === 'h2' ? 'h2' : 'http/1.1'],
    ...(session === undefined ? {} : { session }),
  });
  socket.setNoDelay(true);
  socket.on('session', (ticket) => {
    session = ticket;
  });
  return socket;
}

function pump(from: Socket, to: Socket): void {
  from.pipe(to);
  to.pipe(from);
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

function terminate(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  const client = new tls.TLSSocket(socket, {
    isServer: true,
    secureContext: served,
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  client.on('error', () => socket.destroy());
  client.once('secure', () => pump(client, upstream(client.alpnProtocol ?? false)));
}

net
  .createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      socket.pause();
      if (first.toString('latin1', 0, 8) === 'CONNECT ') {
        terminate(socket);
        return;
      }
      socket.unshift(first);
      pump(socket, upstream(false));
    });
  })
  .listen(port, '127.0.0.1');
