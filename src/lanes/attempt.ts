/**
 * An attempt that has no connection yet: keeps what the relay does meanwhile, and does the same to the
 * exchange once there is one. From then on it only passes calls on.
 */
import type { Fields } from '../core/message.ts';
import type { Outbound, OutboundEvents } from '../core/ports.ts';
import type { DialFailure } from './failure.ts';
import type { EncodedRequest } from './h1-exchange.ts';
import { bodyBytesOf } from './h2-window.ts';

/** Begins the exchange on a connection. */
export type Start = (request: EncodedRequest, events: OutboundEvents) => Outbound;

export class Attempt implements Outbound {
  readonly request: EncodedRequest;
  /** As `bodyBytesOf` has it. */
  readonly bodyBytes: number;
  readonly #events: OutboundEvents;
  #exchange: Outbound | null = null;
  #over = false;
  #onSettled: (() => void) | null = null;
  /** Bounded by its writer, who was told to wait at the first piece. */
  #queue: { wire: Buffer; data: readonly Buffer[] | null }[] = [];
  #trailers: Fields | null = null;
  #paused = false;

  constructor(request: EncodedRequest, events: OutboundEvents) {
    this.request = request;
    this.bodyBytes = bodyBytesOf(request.prepared);
    this.#events = events;
  }

  get protocol(): 'h1' | 'h2' | null {
    return this.#exchange?.protocol ?? null;
  }

  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    if (this.#exchange !== null) return this.#exchange.write(wire, data);
    if (this.#over || this.#trailers !== null) return true;
    this.#queue.push({ wire, data });
    return false;
  }

  end(trailers: Fields): void {
    if (this.#exchange !== null) this.#exchange.end(trailers);
    else this.#trailers ??= trailers;
  }

  pause(): void {
    this.#paused = true;
    this.#exchange?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#exchange?.resume();
  }

  abort(): void {
    if (this.#exchange !== null) {
      this.#exchange.abort();
      return;
    }
    this.#over = true;
    this.#queue = [];
    this.#settle();
  }

  /**
   * Says what is to be done once it is known how the waiting ended (assigned, failed or aborted). A
   * new way to a connection replaces the one before, which is settled by that.
   */
  onSettled(run: () => void): void {
    this.#settle();
    this.#onSettled = run;
  }

  /** Gives it a connection. Not from within `open`. */
  assign(start: Start): void {
    if (this.#over || this.#exchange !== null) return;
    this.#settle();
    const exchange = start(this.request, this.#events);
    this.#exchange = exchange;
    if (this.#paused) exchange.pause();
    const queue = this.#queue;
    this.#queue = [];
    let hasRoom = true;
    for (const { wire, data } of queue) hasRoom = exchange.write(wire, data);
    if (this.#trailers !== null) exchange.end(this.#trailers);
    else if (queue.length > 0 && hasRoom) this.#events.onDrain();
  }

  /** No connection could be had. Not from within `open`. */
  fail(failure: DialFailure): void {
    if (this.#over || this.#exchange !== null) return;
    this.#over = true;
    this.#queue = [];
    this.#settle();
    this.#events.onFail({ ...failure, raced: false, sent: false, answered: false });
  }

  #settle(): void {
    const run = this.#onSettled;
    this.#onSettled = null;
    run?.();
  }
}
