/**
 * One attempt of an exchange at an upstream: writes the request under backpressure and hands on what
 * comes back, until it is aborted. After `abort` no event passes, whatever the transport still says.
 */
import { WRITE_BYTES_MAX } from '../core/limits.ts';
import type { Fields, ResponseHead } from '../core/message.ts';
import { payloadLength } from '../core/message.ts';
import type {
  ByteStream,
  Inbound,
  Outbound,
  OutboundEvents,
  UpstreamFailure,
} from '../core/ports.ts';
import type { Lane, PreparedRequest } from '../lanes/lane.ts';
import type { HeldBody } from './held-body.ts';

/** What the exchange hears of an attempt that was not aborted. */
export interface AttemptEvents {
  onInterim(head: ResponseHead): void;
  onAnswer(attempt: Attempt, head: ResponseHead): void;
  onAnswerBody(wire: Buffer, data: readonly Buffer[] | null): void;
  onAnswerEnd(trailers: Fields): void;
  onFail(failure: UpstreamFailure): void;
  onUpgrade(head: ResponseHead, stream: ByteStream): void;
}

/** Beyond it a status is invalid (RFC 9110 section 15), and node:http2 sends none. */
const STATUS_MAX = 599;

export class Attempt implements OutboundEvents {
  readonly prepared: PreparedRequest;
  readonly #inbound: Inbound;
  readonly #events: AttemptEvents;
  /** A body that was held at first and then could not be; released once it is written. */
  readonly #spilled: HeldBody | null;
  #outbound: Outbound | null = null;
  #over = false;
  #bytesUp = 0;
  /** Payload to be written, from the piece `#next` and its byte `#offset` on. */
  #pieces: readonly Buffer[];
  #next = 0;
  #offset = 0;
  /** The upstream said that it is full, and not yet that it is not. */
  #full = false;
  #ending: Fields | null = null;
  #ended = false;

  /** @param spilled what was collected of a body that could not be held to its end; it goes first */
  constructor(
    prepared: PreparedRequest,
    inbound: Inbound,
    events: AttemptEvents,
    spilled: HeldBody | null = null,
  ) {
    this.prepared = prepared;
    this.#inbound = inbound;
    this.#events = events;
    this.#pieces = prepared.body ?? spilled?.pieces ?? [];
    this.#spilled = spilled;
  }

  /** Lets go of the body, where all of it was handed to the upstream; false where it was not. */
  dropBody(): boolean {
    if (this.#ended) this.#pieces = [];
    return this.#ended;
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
    this.#outbound = lane.open(this.prepared, this);
    // The pieces are let go of by `dropBody`, and the request is kept for longer.
    this.prepared.body = null;
  }

  /** Writes a piece of a streamed body; false when the upstream is full. */
  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    if (this.#over || this.#outbound === null) return true;
    if (this.#spilled === null) {
      this.#bytesUp += payloadLength(wire, data);
      return this.#outbound.write(wire, data);
    }
    // The client's chunks were opened when they were collected: what follows is payload too.
    this.#pieces = [...this.#pieces, ...(data ?? [wire])];
    return this.flush();
  }

  /** Writes what is at hand of the body; false when the upstream is full. */
  flush(): boolean {
    const outbound = this.#outbound;
    if (this.#over || outbound === null || this.#ended) return true;
    if (this.#full) return false;
    while (this.#next < this.#pieces.length) {
      this.#full = !outbound.write(this.#take(), null);
      if (this.#full) return false;
    }
    if (this.#spilled !== null) {
      this.#pieces = [];
      this.#next = 0;
      this.#spilled.release();
    }
    if (this.#ending === null) return true;
    this.#ended = true;
    outbound.end(this.#ending);
    return true;
  }

  /** The request is complete: what is left of it is written, then its end. */
  end(trailers: Fields): void {
    this.#ending = trailers;
    this.flush();
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

  /* ---- told by the upstream ---- */

  onInterim(head: ResponseHead): void {
    if (!this.#over) this.#events.onInterim(head);
  }

  /** Gives up on an upstream that answers what can not be passed on. */
  onHead(head: ResponseHead): void {
    if (this.#over) return;
    if (head.status <= STATUS_MAX || this.#inbound.protocol !== 'h2') {
      this.#events.onAnswer(this, head);
      return;
    }
    this.abort();
    const detail = `status ${head.status}, which HTTP/2 can not pass on`;
    const facts = { raced: false, sent: true, answered: true };
    this.#events.onFail({ code: 'protocol', phase: 'head', detail, ...facts });
  }

  onBody(wire: Buffer, data: readonly Buffer[] | null): void {
    if (!this.#over) this.#events.onAnswerBody(wire, data);
  }

  onEnd(trailers: Fields): void {
    if (this.#last()) this.#events.onAnswerEnd(trailers);
  }

  onFail(failure: UpstreamFailure): void {
    if (this.#last()) this.#events.onFail(failure);
  }

  onUpgrade(head: ResponseHead, stream: ByteStream): void {
    if (this.#last()) this.#events.onUpgrade(head, stream);
    else stream.destroy();
  }

  onDrain(): void {
    this.#full = false;
    if (!this.#over && this.flush() && this.#ending === null) this.#inbound.resume();
  }

  /* ---- inside ---- */

  #last(): boolean {
    if (this.#over) return false;
    this.#over = true;
    return true;
  }

  /** The next piece; a large one in parts. */
  #take(): Buffer {
    const whole = this.#pieces[this.#next] as Buffer;
    let piece = whole;
    if (whole.length > WRITE_BYTES_MAX) {
      piece = whole.subarray(this.#offset, this.#offset + WRITE_BYTES_MAX);
      this.#offset += piece.length;
    }
    if (piece === whole || this.#offset === whole.length) {
      this.#next += 1;
      this.#offset = 0;
    }
    this.#bytesUp += piece.length;
    return piece;
  }
}
