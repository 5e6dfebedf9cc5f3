/**
 * Terminates TLS inside a tunnel to an intercepted host, in this process and on the same socket.
 *
 * - Only TLS is accepted: credentials of an intercepted host never travel in plain text.
 * - ALPN (RFC 7301): `h2`, `http/1.1`; a client without it speaks HTTP/1.1, and so does one that
 *   offers another spelling of HTTP (`http 1.1` is on the market). Anything else is refused by alert.
 * - A server name (RFC 6066 section 3) other than the tunnel's host is refused by 421 to each request
 *   (RFC 9110 section 7.4), not by an alert: clients show the answer, and hide the alert.
 * - HTTP/2 without the extended CONNECT of RFC 8441: clients then open WebSockets over HTTP/1.1.
 */
import type net from 'node:net';
import tls from 'node:tls';
import { CLIENT_TLS_MS_MAX } from '../core/limits.ts';
import type { Scope } from './admission.ts';
import type { ConnectionContext } from './context.ts';
import { Http1Connection } from './h1-connection.ts';
import { serveHttp2 } from './h2-session.ts';
import { ESTABLISHED } from './tunnel.ts';

const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Answers the CONNECT and serves HTTP inside TLS.
 *
 * @param raw paused, with an `error` listener and without listeners for data
 * @param early what the client sent behind its CONNECT: often its ClientHello
 * @param host the host of the CONNECT, lower case
 */
export function intercept(
  raw: net.Socket,
  early: Buffer,
  host: string,
  context: ConnectionContext,
): void {
  raw.write(ESTABLISHED);
  if (early.length > 0) raw.unshift(early);
  const socket = new tls.TLSSocket(raw, {
    isServer: true,
    secureContext: context.settings.secureContext,
    ALPNCallback: chooseProtocol,
  });
  let isShaking = true;
  const end = (cause: string): void => {
    if (isShaking) context.log.warn('client_tls_failed', { host, cause });
    isShaking = false;
    clearTimeout(timer);
    socket.destroy();
    raw.destroy();
  };
  const timer = setTimeout(() => end('the handshake took too long'), CLIENT_TLS_MS_MAX);
  socket.on('error', (error) => end(causeOf(error)));
  // Behind the handshake a server's TLS socket made by hand tells a broken record here, and only here;
  // unheard, the connection would be neither read nor closed any more.
  socket.on('_tlsError', (error: NodeJS.ErrnoException) => end(causeOf(error)));
  socket.once('close', () => end(CLOSED_EARLY));
  const onEarlyFin = (): void => end(CLOSED_EARLY);
  socket.once('end', onEarlyFin);
  socket.once('secure', () => {
    isShaking = false;
    clearTimeout(timer);
    socket.removeListener('end', onEarlyFin);
    const name = socket.servername;
    const isNameRight = typeof name !== 'string' || name === '' || name.toLowerCase() === host;
    const scope: Scope = { kind: 'intercept', host, isNameRight };
    if (socket.alpnProtocol === 'h2') {
      serveHttp2(socket, scope, context);
      // A server's TLS socket made by hand never says so itself, and the HTTP/2 session waits for it.
      socket.emit('secureConnect');
    } else {
      const connection = new Http1Connection({
        socket,
        raw,
        scope,
        context,
        openTunnel: () => socket.destroy(),
      });
      connection.start(NOTHING);
    }
  });
  // Until then: only a draining edge has something to say, and the handshake is bounded anyway.
  context.become({ drain: () => undefined });
}

/** The client's own spelling of what we speak; undefined sends the alert `no_application_protocol`. */
function chooseProtocol({ protocols }: { protocols: string[] }): string | undefined {
  if (protocols.includes('h2')) return 'h2';
  if (protocols.includes('http/1.1')) return 'http/1.1';
  return protocols.find((protocol) => protocol.toLowerCase().startsWith('http'));
}

const UNTRUSTED = 'the client does not trust the CA: see lanekeeper doctor';
const CLOSED_EARLY =
  'the client closed during the handshake, as one does that does not trust the CA: see lanekeeper doctor';

/** What most likely went wrong, for people. */
function causeOf(error: NodeJS.ErrnoException): string {
  const text = `${error.code ?? ''} ${error.message}`;
  if (/unknown.?ca|bad.?certificate|certificate.?unknown|alert.?number.?4[268]/i.test(text)) {
    return UNTRUSTED;
  }
  if (/certificate.?expired/i.test(text)) return 'the client holds the certificate for expired';
  if (/http.?request|wrong.?version|record.?header|packet.?length/i.test(text)) {
    return 'the client does not speak TLS inside its tunnel';
  }
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return CLOSED_EARLY;
  return error.code ?? 'the handshake failed';
}
