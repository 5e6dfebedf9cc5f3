/**
 * The far end of a simulated connection: what a simulated client or upstream holds. It sends without
 * bound (its own memory is not what is looked at), reads when it wants to, and leaves as it likes.
 */
import type { Flow } from './network.ts';
import type { Scheduler } from './scheduler.ts';

/** Between the last byte and close(2), ms. */
const FINISH_MS = 5;

export interface EndpointEvents {
  onBytes(bytes: Buffer): void;
  onFin(): void;
  /** The connection broke; nothing follows. */
  onReset(): void;
}

export class Endpoint {
  /** All bytes that the network took. */
  bytesSent = 0;
  isGone = false;
  readonly #scheduler: Scheduler;
  readonly #in: Flow;
  readonly #out: Flow;
  readonly #events: EndpointEvents;
  #queue: Buffer[] = [];
  #isEnding = false;
  #isFinishing = false;
  #isReading = true;
  #readBytesMax = Number.MAX_SAFE_INTEGER;
  #isScheduled = false;

  constructor(scheduler: Scheduler, incoming: Flow, outgoing: Flow, events: EndpointEvents) {
    this.#scheduler = scheduler;
    this.#in = incoming;
    this.#out = outgoing;
    this.#events = events;
    incoming.onArrival = () => this.#read();
    outgoing.onRoom = () => this.#push();
  }

  send(bytes: Buffer): void {
    if (this.isGone || this.#isEnding || bytes.length === 0) return;
    this.#queue.push(bytes);
    this.#push();
  }

  /** FIN behind what was sent. */
  fin(): void {
    this.#isEnding = true;
    this.#push();
  }

  /** RST at once; what the network has not taken is never sent. */
  reset(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#queue = [];
    this.#in.close();
    this.#out.reset();
  }

  /** Sends all that is left, then closes. */
  finish(): void {
    this.#isFinishing = true;
    this.fin();
  }

  /** As close(2): FIN behind what the network took, RST where bytes lie unread. */
  close(): void {
    if (this.isGone) return;
    this.isGone = true;
    this.#queue = [];
    this.#in.close();
    this.#out.release(this.#in.unreadBytes);
  }

  stopReading(): void {
    this.#isReading = false;
  }

  /** Reads on, this much at a time. */
  startReading(readBytesMax: number = Number.MAX_SAFE_INTEGER): void {
    this.#readBytesMax = readBytesMax;
    this.#isReading = true;
    this.#readSoon();
  }

  get unsentBytes(): number {
    let bytes = 0;
    for (const piece of this.#queue) bytes += piece.length;
    return bytes;
  }

  #push(): void {
    if (this.isGone) return;
    if (this.#out.isRefused) {
      this.#queue = [];
      return;
    }
    while (this.#queue.length > 0) {
      const piece = this.#queue[0] as Buffer;
      const taken = this.#out.accept(piece);
      this.bytesSent += taken;
      if (taken < piece.length) {
        this.#queue[0] = piece.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
    if (this.#isEnding) this.#out.fin();
    if (this.#isFinishing) this.#scheduler.after(FINISH_MS, () => this.close());
  }

  #readSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#scheduler.after(0, () => {
      this.#isScheduled = false;
      this.#read();
    });
  }

  #read(): void {
    if (!this.#isReading || this.isGone) return;
    const bytes = this.#in.take(this.#readBytesMax);
    if (bytes !== null) {
      this.#events.onBytes(bytes);
      if (this.#in.hasNews) this.#readSoon();
    } else if (this.#in.isBroken) {
      this.isGone = true;
      this.#events.onReset();
    } else if (this.#in.takeFin()) {
      this.#events.onFin();
    }
  }
}
