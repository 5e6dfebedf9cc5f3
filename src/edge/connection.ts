/**
 * A connection just accepted: what its first bytes say it speaks.
 *
 * - the HTTP/2 preface (RFC 9113 section 3.4): gateway mode over HTTP/2 with prior knowledge;
 * - a TLS record: closed, since this port speaks plain HTTP and an answer would not be understood;
 * - anything else: HTTP/1, whose parser refuses what is not.
 */
import type net from 'node:net';
import { CLIENT_HEAD_MS_MAX, DRAIN_IDLE_MS, TCP_KEEPALIVE_MS } from '../core/limits.ts';
import { answerAndClose, closeLingering } from './closing.ts';
import type { ConnectionContext } from './context.ts';
import { Http1Connection, type TunnelOpener } from './h1-connection.ts';
import { serveHttp2 } from './h2-session.ts';
import { intercept } from './intercept.ts';
import { openTunnel } from './tunnel.ts';

const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const TLS_HANDSHAKE = 0x16;
const PLAIN = { kind: 'plain' } as const;

/** Starts to serve a connection whose `error` listener is there already. */
export function serveConnection(socket: net.Socket, context: ConnectionContext): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
  let first: Buffer | null = null;
  let timer: NodeJS.Timeout | null = null;

  const arm = (ms: number, run: () => void): void => {
    timer ??= setTimeout(() => {
      leave();
      run();
    }, ms);
  };
  const leave = (): void => {
    if (timer !== null) clearTimeout(timer);
    socket.removeListener('data', onData);
    socket.removeListener('end', onEnd);
    socket.removeListener('close', leave);
  };
  const onEnd = (): void => {
    leave();
    closeLingering(socket);
  };
  const onData = (bytes: Buffer): void => {
    const seen = first === null ? bytes : Buffer.concat([first, bytes]);
    if (isPartOfPreface(seen)) {
      first = seen;
      arm(CLIENT_HEAD_MS_MAX, () => answerAndClose(socket, 'request_timeout'));
      return;
    }
    leave();
    begin(socket, seen, context);
  };

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', leave);
  context.become({ drain: () => arm(DRAIN_IDLE_MS, () => closeLingering(socket)) });
}

function begin(socket: net.Socket, first: Buffer, context: ConnectionContext): void {
  if (first[0] === TLS_HANDSHAKE) {
    context.log.warn('tls_on_plain_port', { mend: 'use http:// in the address of the proxy' });
    socket.destroy();
    return;
  }
  if (startsWithPreface(first)) {
    socket.pause();
    socket.unshift(first);
    serveHttp2(socket, PLAIN, context);
    return;
  }
  const open: TunnelOpener = (client, early, target, isIntercepted) => {
    if (isIntercepted) intercept(client, early, target.host, context);
    else openTunnel(client, early, target, context);
  };
  const connection = new Http1Connection({
    socket,
    raw: socket,
    scope: PLAIN,
    context,
    openTunnel: open,
  });
  connection.start(first);
}

/** True where the bytes so far are the beginning of the preface, and not all of it. */
function isPartOfPreface(bytes: Buffer): boolean {
  return bytes.length < PREFACE.length && PREFACE.indexOf(bytes) === 0;
}

function startsWithPreface(bytes: Buffer): boolean {
  return bytes.length >= PREFACE.length && bytes.subarray(0, PREFACE.length).equals(PREFACE);
}
