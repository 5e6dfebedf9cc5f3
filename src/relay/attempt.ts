/**
 * One attempt of an exchange at an upstream: writes the request under backpressure and hands on what
 * comes back, until it is aborted. After `abort` no event passes, whatever the transport still says.
 */
import type { Fields } from '../core/message.ts';
import { payloadLength } from '../core/message.ts';
import type { Inbound, Outbound, OutboundEvents } from '../core/ports.ts';
import type { Lane, PreparedRequest } from '../lanes/lane.ts';

/** What the exchange hears of an attempt; `onDrain` is the attempt's own affair. */
export type AttemptEvents = Omit<OutboundEvents, 'onDrain'>;

export class Attempt {
  readonly prepared: PreparedRequest;
  readonly #inbound: Inbound;
  readonly #events: AttemptEvents;
  #outbound: Outbound | null = null;
  #over = false;
  #bytesUp = 0;
  /** The next piece of a held body to be written. */
  #next = 0;
  #ending: Fields | null = null;
  #ended = false;

  constructor(prepared: PreparedRequest, inbound: Inbound, events: AttemptEvents) {
    this.prepared = prepared;
    this.#inbound = inbound;
    this.#events = events;
  }

  /** Body bytes handed to the upstream so far; what still waits for a connection never left. */
  get bytesUp(): number {
    return this.protocol === null ? 0 : this.#bytesUp;
  }

  get protocol(): 'h1' | 'h2' | null {
    return this.#outbound?.protocol ?? null;
  }

  /** Opens the attempt on its lane. */
  open(lane: Lane): void {
    const events = this.#events;
    this.#outbound = lane.open(this.prepared, {
      onInterim: (head) => this.#over || events.onInterim(head),
      onHead: (head) => this.#over || events.onHead(head),
      onBody: (wire, data) => this.#over || events.onBody(wire, data),
      onEnd: (trailers) => this.#last() && events.onEnd(trailers),
      onFail: (failure) => this.#last() && events.onFail(failure),
      onUpgrade: (head, stream) => {
        if (this.#last()) events.onUpgrade(head, stream);
        else stream.destroy();
      },
      onDrain: () => this.#drained(),
    });
  }

  /** Writes a piece of a streamed body; false when the upstream is full. */
  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    if (this.#over || this.#outbound === null) return true;
    this.#bytesUp += payloadLength(wire, data);
    return this.#outbound.write(wire, data);
  }

  /** The request is complete: what is held of it is written, then its end. */
  end(trailers: Fields): void {
    this.#ending = trailers;
    this.#pump();
  }

  pause(): void {
    if (!this.#over) this.#outbound?.pause();
  }

  resume(): void {
    if (!this.#over) this.#outbound?.resume();
  }

  /** Lets go of the upstream. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outbound?.abort();
  }

  #last(): boolean {
    if (this.#over) return false;
    this.#over = true;
    return true;
  }

  #drained(): void {
    if (this.#over) return;
    if (this.prepared.body === null) this.#inbound.resume();
    else this.#pump();
  }

  #pump(): void {
    const outbound = this.#outbound;
    if (this.#over || outbound === null || this.#ending === null || this.#ended) return;
    const body = this.prepared.body ?? [];
    while (this.#next < body.length) {
      const piece = body[this.#next] as Buffer;
      this.#next += 1;
      this.#bytesUp += piece.length;
      if (!outbound.write(piece, null)) return;
    }
    this.#ended = true;
    outbound.end(this.#ending);
  }
}
