/**
 * An upgraded connection as a stream of bytes (RFC 9110 section 7.8). No byte is looked at.
 */
import assert from 'node:assert';
import type net from 'node:net';
import { TUNNEL_IDLE_MS_MAX } from '../core/limits.ts';
import type { ByteStream, ByteStreamEvents } from '../core/ports.ts';

/**
 * Wraps a paused socket that has its `error` listener.
 *
 * @param early what was read of it already; delivered first
 * @param onClose called when the socket has closed; whole where both sides ended by FIN
 */
export function createByteStream(
  socket: net.Socket,
  early: Buffer,
  onClose: (isWhole: boolean) => void = () => undefined,
): ByteStream {
  let events: ByteStreamEvents | null = null;
  let isPaused = false;
  let hasFin = socket.readableEnded;
  let isClosed = socket.destroyed;

  const open = (): void => {
    if (events === null) return;
    if (early.length > 0) events.onBytes(early);
    if (hasFin) events.onEnd();
    if (isClosed) {
      events.onClose();
      return;
    }
    socket.on('data', (bytes: Buffer) => events?.onBytes(bytes));
    socket.on('drain', () => events?.onDrain());
    if (!isPaused) socket.resume();
  };

  socket.setTimeout(TUNNEL_IDLE_MS_MAX);
  socket.on('timeout', () => socket.destroy());
  socket.on('end', () => {
    hasFin = true;
    events?.onEnd();
  });
  socket.on('close', () => {
    isClosed = true;
    events?.onClose();
    onClose(hasFin && socket.writableFinished);
  });

  return {
    write: (bytes) => {
      if (!socket.writable) return true;
      return socket.write(bytes);
    },
    end: () => {
      socket.end();
    },
    destroy: () => {
      socket.destroy();
    },
    pause: () => {
      isPaused = true;
      socket.pause();
    },
    resume: () => {
      isPaused = false;
      if (events !== null) socket.resume();
    },
    read: (given) => {
      assert(events === null, 'read is called once');
      process.nextTick(() => {
        events = given;
        open();
      });
    },
  };
}
