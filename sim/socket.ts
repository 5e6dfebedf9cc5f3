/**
 * The program's end of a simulated connection: Node's own `Duplex`, as `net.Socket` is one, over a
 * simulated network in place of a handle. What streams do (buffering, `drain`, half-close, the order of
 * events) is therefore Node's; what the system does is `network.ts`.
 */

import type net from 'node:net';
import { Duplex } from 'node:stream';
import type { Flow } from './network.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';

/** What the system would say. */
export function systemError(code: string, call: string): NodeJS.ErrnoException {
  // Thousands are made and no stack is looked at, which is what costs.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = new Error(`${call} ${code}`);
  Error.stackTraceLimit = stackTraceLimit;
  return Object.assign(error, { code, syscall: call });
}

interface PendingWrite {
  readonly pieces: Buffer[];
  readonly done: (error?: Error | null) => void;
}

export interface SocketOptions {
  readonly scheduler: Scheduler;
  readonly highWaterMark: number;
  /** Most bytes of one read. */
  readonly readBytesMax: number;
  /** Told after each thing that happened to it. */
  readonly onChange: (socket: SimSocket) => void;
  readonly onClosed: (socket: SimSocket) => void;
}

export class SimSocket extends Duplex {
  connecting: boolean;
  /** Bytes that the program was given to read. */
  bytesGiven = 0;
  /** What goes out by it may be edited, and so is one piece. */
  takesEdited = false;
  readonly #options: SocketOptions;
  #in: Flow | null = null;
  #out: Flow | null = null;
  #isReading = false;
  #writing: PendingWrite | null = null;
  #idleMs = 0;
  #idle: Scheduled | null = null;
  #activeAt = 0;

  constructor(options: SocketOptions, isConnecting: boolean) {
    super({
      allowHalfOpen: true,
      emitClose: false,
      autoDestroy: true,
      highWaterMark: options.highWaterMark,
    });
    this.#options = options;
    this.connecting = isConnecting;
  }

  /** As the program's types have it: of a real socket it asks nothing that is not here. */
  get asSocket(): net.Socket {
    return this as unknown as net.Socket;
  }

  /** Gives it its connection. */
  attach(incoming: Flow, outgoing: Flow): void {
    this.#in = incoming;
    this.#out = outgoing;
    incoming.onArrival = () => this.#arrived();
    outgoing.onRoom = () => this.#room();
    if (!this.connecting) return;
    this.connecting = false;
    this.emit('connect');
    this.emit('ready');
    if (this.#isReading) this.#arrived();
  }

  /* ---- what net.Socket has beside a Duplex ---- */

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  setTimeout(ms: number, onTimeout?: () => void): this {
    const { scheduler } = this.#options;
    scheduler.cancel(this.#idle);
    this.#idle = null;
    this.#idleMs = ms;
    if (onTimeout !== undefined) this.once('timeout', onTimeout);
    if (ms > 0 && !this.destroyed) {
      this.#activeAt = scheduler.now;
      this.#watchIdle(ms);
    }
    return this;
  }

  resetAndDestroy(): this {
    this.#out?.reset();
    this.destroy();
    return this;
  }

  /* ---- what a Duplex asks ---- */

  override write(...args: unknown[]): boolean {
    this.#options.onChange(this);
    return Reflect.apply(super.write, this, args) as boolean;
  }

  override _read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    if (this.#in?.hasNews === true) this.#options.scheduler.after(0, () => this.#arrived());
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: string }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    // As shutdown(2) is answered: in a later turn.
    this.#options.scheduler.after(0, () => {
      if (this.destroyed) return;
      this.#out?.fin();
      done();
      this.#options.onChange(this);
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { scheduler } = this.#options;
    scheduler.cancel(this.#idle);
    this.#isReading = false;
    this.#writing = null;
    this.#in?.close();
    this.#out?.release(this.#in?.unreadBytes ?? 0);
    done(error);
    scheduler.after(0, () => {
      this.emit('close', error !== null);
      this.#options.onClosed(this);
    });
  }

  /* ---- what the network says ---- */

  /** One read of what the system has, as far as the program wants to read. */
  #arrived(): void {
    const flow = this.#in;
    if (flow === null || !this.#isReading || this.destroyed) return;
    const bytes = flow.take(this.#options.readBytesMax);
    this.#touch();
    if (bytes !== null) {
      this.bytesGiven += bytes.length;
      if (!this.push(bytes)) this.#isReading = false;
      else if (flow.hasNews) this.#options.scheduler.after(0, () => this.#arrived());
    } else if (flow.isBroken) {
      this.destroy(systemError('ECONNRESET', 'read'));
    } else if (flow.takeFin()) {
      this.#isReading = false;
      this.push(null);
      this.read(0);
    }
    this.#options.onChange(this);
  }

  #send(pieces: Buffer[], done: (error?: Error | null) => void): void {
    this.#touch();
    this.#writing = { pieces, done };
    this.#push();
  }

  #push(): void {
    const writing = this.#writing;
    const flow = this.#out;
    if (writing === null || flow === null) return;
    if (flow.isRefused) {
      this.#writing = null;
      writing.done(systemError('EPIPE', 'write'));
      return;
    }
    while (writing.pieces.length > 0) {
      const piece = writing.pieces[0] as Buffer;
      const taken = flow.accept(piece);
      if (taken < piece.length) {
        writing.pieces[0] = piece.subarray(taken);
        return;
      }
      writing.pieces.shift();
    }
    this.#writing = null;
    writing.done();
  }

  #room(): void {
    if (this.destroyed) return;
    this.#touch();
    this.#push();
    this.#options.onChange(this);
  }

  #touch(): void {
    this.#activeAt = this.#options.scheduler.now;
  }

  #watchIdle(ms: number): void {
    const { scheduler } = this.#options;
    this.#idle = scheduler.after(ms, () => {
      const left = this.#activeAt + this.#idleMs - scheduler.now;
      if (left > 0) {
        this.#watchIdle(left);
        return;
      }
      this.#idle = null;
      this.emit('timeout');
    });
  }
}
