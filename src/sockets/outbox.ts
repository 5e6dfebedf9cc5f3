/**
 * Gathers what is written to a socket in one turn of the event loop into one write: a head and the first
 * bytes of its body leave in one packet, and one TLS record; so do the events of a stream that came
 * together, of which each TLS record is read by itself.
 */
import type net from 'node:net';
import { atEndOfTurn } from './turn.ts';

/** Up to here copying costs less than a gathering write (4 µs a write, measured), and TLS copies anyway. */
const JOIN_BYTES_MAX = 16 * 1024;
/** From here on a piece is written by itself: TLS would copy it to gather it, into memory made for that. */
const ALONE_BYTES_MIN = 32 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

export class Outbox {
  readonly #socket: net.Socket;
  readonly #flushSoon = (): void => this.flush();
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isScheduled = false;
  #onFlushed: (() => void) | null = null;
  readonly #onDrain: () => void;
  /** A writer was told to wait. */
  #owesDrain = false;

  /** @param onDrain called once there is room again, after `hasRoom` said that there is none */
  constructor(socket: net.Socket, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
    socket.on('drain', this.#drained);
  }

  /** False where the writer should wait for `onDrain`. */
  hasRoom(): boolean {
    const socket = this.#socket;
    if (this.pendingBytes < socket.writableHighWaterMark) return true;
    this.#owesDrain = true;
    return false;
  }

  /** Lets go of the socket, which somebody else writes to from now on. Nothing may be queued. */
  detach(): void {
    this.#socket.removeListener('drain', this.#drained);
  }

  /** Bytes that the system has not accepted yet. */
  get pendingBytes(): number {
    return this.#socket.writableLength + this.#queuedBytes;
  }

  push(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#schedule();
  }

  /** Calls back once the system has accepted all that was pushed; never, where the socket fails. */
  whenFlushed(run: () => void): void {
    this.#onFlushed = run;
    this.#schedule();
  }

  /** Writes now what is queued. */
  flush(): void {
    this.#isScheduled = false;
    const queue = arranged(this.#queue, this.#queuedBytes);
    const onFlushed = this.#onFlushed;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#onFlushed = null;
    const socket = this.#socket;
    if (socket.destroyed) return;
    const last = queue.length - 1;
    let isCorked = false;
    for (let index = 0; index <= last; index += 1) {
      const bytes = queue[index] as Buffer;
      const isGathered = last > 0 && bytes.length < ALONE_BYTES_MIN;
      if (isGathered && !isCorked) socket.cork();
      else if (!isGathered && isCorked) socket.uncork();
      isCorked = isGathered;
      if (index === last && onFlushed !== null) writeLast(socket, bytes, onFlushed);
      else socket.write(bytes);
    }
    if (last < 0 && onFlushed !== null) writeLast(socket, NOTHING, onFlushed);
    if (isCorked) socket.uncork();
    // The socket emits `drain` only where one of its own writes was told to wait.
    if (this.#owesDrain && !socket.writableNeedDrain) process.nextTick(this.#drained);
  }

  readonly #drained = (): void => {
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    this.#onDrain();
  };

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    atEndOfTurn(this.#flushSoon);
  }
}

/** What is queued as it is best written: little together, a head with as much as fills a TLS record. */
function arranged(queue: Buffer[], bytes: number): Buffer[] {
  if (queue.length < 2) return queue;
  if (bytes <= JOIN_BYTES_MAX) return [Buffer.concat(queue)];
  const [head, body] = queue as [Buffer, Buffer];
  if (head.length >= JOIN_BYTES_MAX || body.length < ALONE_BYTES_MIN) return queue;
  const added = JOIN_BYTES_MAX - head.length;
  return [Buffer.concat([head, body.subarray(0, added)]), body.subarray(added), ...queue.slice(2)];
}

/** Writes the last piece, which may be empty, and calls back when nothing is left to be accepted. */
function writeLast(socket: net.Socket, last: Buffer, onFlushed: () => void): void {
  if (last.length === 0 && socket.writableLength === 0) {
    onFlushed();
    return;
  }
  socket.write(last, (error) => {
    if (error === undefined || error === null) onFlushed();
  });
}
