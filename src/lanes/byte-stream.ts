/**
 * An upgraded upstream connection as a plain two-way stream of bytes (RFC 9110 section 7.8).
 *
 * It is handed over with every listener of its exchange gone; until `read` is called nothing is
 * lost: bytes wait in the socket, and an end or failure is told as soon as somebody listens.
 */
import type { Socket } from 'node:net';
import { TUNNEL_IDLE_MS_MAX } from '../core/limits.ts';
import type { ByteStream, ByteStreamEvents } from '../core/ports.ts';

/**
 * Wraps a socket that speaks HTTP no longer.
 *
 * @param early bytes that came behind the head of the 101
 */
export function socketByteStream(socket: Socket, early: Buffer): ByteStream {
  let events: ByteStreamEvents | null = null;
  let closed = false;
  let told = false;
  socket.pause();
  if (early.length > 0) socket.unshift(early);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    closed = true;
    tell();
  });
  socket.setTimeout(TUNNEL_IDLE_MS_MAX, () => socket.destroy());

  function tell(): void {
    if (events === null || told) return;
    told = true;
    events.onClose();
  }
  return {
    write: (bytes) => (closed || !socket.writable ? true : socket.write(bytes)),
    end: () => {
      socket.end();
    },
    destroy: () => {
      socket.destroy();
    },
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
    read(listener) {
      events = listener;
      if (closed) {
        process.nextTick(tell);
        return;
      }
      socket.on('data', (bytes: Buffer) => {
        if (!told) listener.onBytes(bytes);
      });
      socket.on('end', () => {
        if (!told) listener.onEnd();
      });
      socket.on('drain', () => {
        if (!told) listener.onDrain();
      });
      socket.resume();
    },
  };
}
