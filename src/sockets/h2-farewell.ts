/**
 * An HTTP/2 session that is destroyed says GOAWAY, and then lets go of its socket; inside TLS node:http2
 * (26.10) now and then comes to neither: no `error` and no `close` follow, and the socket stays open though
 * nobody reads it. So it is given a time for it, and then it is helped.
 */
import type { Http2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { H2_FAREWELL_MS } from '../core/limits.ts';

/** @param onLate called where the socket was still open: it is destroyed then, and no `close` of the session follows */
export function boundFarewell(session: Http2Session, socket: Duplex, onLate: () => void): void {
  const { destroy } = session;
  let isDestroyed = false;
  // It is this method that node's own code calls where the peer does wrong, and nothing else tells of it.
  session.destroy = (error?: Error, code?: number) => {
    destroy.call(session, error, code);
    if (isDestroyed || socket.destroyed) return;
    isDestroyed = true;
    const timer = setTimeout(() => {
      socket.destroy();
      onLate();
    }, H2_FAREWELL_MS);
    socket.once('close', () => clearTimeout(timer));
  };
}
