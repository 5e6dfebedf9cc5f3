/**
 * Closing a connection so that the peer gets what was sent to it (RFC 9112 section 9.6).
 *
 * Closing a socket that still has unread input makes the system send RST, and a peer that sees RST
 * may lose what it had not read. So: FIN first, then read and throw away until the peer has closed,
 * within bounds.
 */
import type net from 'node:net';
import { type ErrorCode, localAnswer } from '../core/errors.ts';
import { encodeResponseHead } from '../core/http1/write.ts';
import { LINGER_BYTES_MAX, LINGER_MS_MAX } from '../core/limits.ts';
import type { Field } from '../core/message.ts';
import type { Outbox } from '../sockets/outbox.ts';

/**
 * Sends what is queued, then FIN; destroys the socket when the peer has closed too, after
 * `LINGER_MS_MAX`, or once `LINGER_BYTES_MAX` came. The caller has removed its own listeners for data.
 */
export function closeLingering(socket: net.Socket): void {
  if (socket.destroyed) return;
  let left = LINGER_BYTES_MAX;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS_MAX);
  socket.once('close', () => clearTimeout(timer));
  socket.on('data', (bytes: Buffer) => {
    left -= bytes.length;
    if (left < 0) socket.destroy();
  });
  socket.end();
  socket.resume();
}

/**
 * Sends what is queued, then RST: for an answer that only the close delimits, where FIN would tell the
 * client that it is whole. A client that does not read gets its RST after `LINGER_MS_MAX`.
 *
 * @param raw the TCP socket; also where `outbox` writes to a TLS socket above it
 */
export function resetAfterFlush(raw: net.Socket, outbox: Outbox): void {
  const timer = setTimeout(() => raw.resetAndDestroy(), LINGER_MS_MAX);
  raw.once('close', () => clearTimeout(timer));
  outbox.whenFlushed(() => raw.resetAndDestroy());
}

/** Answers with a local error outside any exchange, and closes. */
export function answerAndClose(
  socket: net.Socket,
  code: ErrorCode,
  detail = '',
  extra: readonly Field[] = [],
): void {
  if (socket.destroyed) return;
  const { head, body } = localAnswer(code, null, detail, [...extra, ['connection', 'close']]);
  socket.write(Buffer.concat([encodeResponseHead(head.status, head.reason, head.fields), body]));
  closeLingering(socket);
}
