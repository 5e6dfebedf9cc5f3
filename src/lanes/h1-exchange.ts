/**
 * One exchange on an HTTP/1.1 connection: the request out under its framing, the answer in.
 *
 * Bytes that the client already framed as this connection needs pass as they came; payload is framed
 * as chunks where the head says so. A final answer before the request is complete is delivered
 * (RFC 9112 section 9.5), and the connection is not used again.
 */
import assert from 'node:assert/strict';
import { encodeChunk, encodeLastChunk, encodeRequestHead } from '../core/http1/write.ts';
import { type Fields, payloadLength, type ResponseHead } from '../core/message.ts';
import type { AttemptPhase, Outbound, OutboundEvents } from '../core/ports.ts';
import { isIdleRace } from '../core/retry.ts';
import { createByteStream } from '../sockets/byte-stream.ts';
import type { FailureCode } from './failure.ts';
import type { H1Connection } from './h1-connection.ts';
import type { PreparedRequest } from './lane.ts';
import type { Waiting } from './watchdog.ts';

/** A request with its head as bytes: encoded before a connection is taken, since that may throw. */
export interface EncodedRequest {
  readonly prepared: PreparedRequest;
  readonly head: Buffer;
}

/**
 * Encodes the head of a request.
 *
 * @throws AssertionError where a part holds what may not stand there
 */
export function encodeRequest(prepared: PreparedRequest): EncodedRequest {
  const { method, target, fields } = prepared;
  return { prepared, head: encodeRequestHead(method, target, fields) };
}

/** An error answer that came early: the rest of the request would only provoke a reset. */
const EARLY_ERROR_STATUS_MIN = 400;

export class H1Exchange implements Outbound {
  readonly protocol = 'h1';
  /** No event follows. */
  over = false;
  /** The connection may serve another exchange. */
  reusable = false;
  /** At least one byte of an answer has come. */
  answered = false;
  readonly #connection: H1Connection;
  readonly #request: PreparedRequest;
  readonly #events: OutboundEvents;
  readonly #restedMs: number | null;
  readonly #startedAt = performance.now();
  #sent = false;
  #requestEnded = false;
  /** The rest of the request is thrown away: the answer is an error already. */
  #discarding = false;
  #lastPieceFramed = false;
  #wantsDrain = false;
  #paused = false;
  #lengthLeft: number | null;
  #head: ResponseHead | null = null;

  /** @param restedMs how long the connection had been idle; null on one that is new */
  constructor(
    connection: H1Connection,
    request: EncodedRequest,
    events: OutboundEvents,
    restedMs: number | null,
  ) {
    const { framing } = request.prepared;
    this.#connection = connection;
    this.#request = request.prepared;
    this.#events = events;
    this.#restedMs = restedMs;
    this.#lengthLeft = framing.kind === 'length' ? framing.length : null;
  }

  /** Sends the head; the whole request where it has no body. */
  begin(head: Buffer): void {
    this.#sent = true;
    this.#connection.outbox.push(head);
    if (this.#request.framing.kind === 'none') this.#requestEnded = true;
    this.#watch();
  }

  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    if (this.over || this.#requestEnded || this.#discarding) return true;
    const { outbox } = this.#connection;
    if (this.#lengthLeft !== null) {
      this.#lengthLeft -= payloadLength(wire, data);
      // A byte too many would be the start of the next request on this connection.
      assert(this.#lengthLeft >= 0, 'the body is longer than its Content-Length');
    }
    this.#lastPieceFramed = data !== null;
    if (this.#encodes && data === null) {
      for (const piece of encodeChunk([wire])) outbox.push(piece);
    } else {
      outbox.push(wire);
    }
    return this.#hasRoom();
  }

  end(trailers: Fields): void {
    if (this.over || this.#requestEnded || this.#discarding) return;
    assert(
      this.#lengthLeft === null || this.#lengthLeft === 0,
      'the body is shorter than its Content-Length',
    );
    // The client's own last chunk came with its last piece; a body framed here has none yet.
    if (this.#encodes && !this.#lastPieceFramed) {
      this.#connection.outbox.push(encodeLastChunk(trailers));
    }
    this.#requestEnded = true;
    this.#hasRoom();
    this.#watch();
  }

  pause(): void {
    if (this.over || this.#paused) return;
    this.#paused = true;
    this.#connection.socket.pause();
    this.#watch();
  }

  resume(): void {
    if (this.over || !this.#paused) return;
    this.#paused = false;
    this.#watch();
    this.#connection.socket.resume();
  }

  abort(): void {
    if (this.over) return;
    this.#close();
    this.#connection.destroy();
  }

  /* ---- told by the connection ---- */

  interim(head: ResponseHead): void {
    if (this.over) return;
    this.#connection.watchdog.touch();
    this.#events.onInterim(head);
  }

  head(head: ResponseHead): void {
    if (this.over) return;
    if (head.status === 101) {
      this.#upgraded(head);
      return;
    }
    this.#head = head;
    if (!this.#requestEnded && head.status >= EARLY_ERROR_STATUS_MIN) this.#discarding = true;
    this.#watch();
    this.#events.onHead(head);
  }

  body(wire: Buffer, data: readonly Buffer[] | null): void {
    if (this.over) return;
    this.#connection.watchdog.touch();
    this.#events.onBody(wire, data);
  }

  ended(trailers: Fields): void {
    if (this.over) return;
    this.#close();
    this.reusable = this.#requestEnded && this.#head?.keepAlive === true;
    this.#events.onEnd(trailers);
  }

  drained(): void {
    if (this.over || !this.#wantsDrain) return;
    this.#wantsDrain = false;
    this.#watch();
    if (!this.#requestEnded) this.#events.onDrain();
  }

  /** Ends the exchange with a failure; the connection goes with it. */
  fail(code: FailureCode, detail: string): void {
    if (this.over) return;
    this.#close();
    const raced = !this.answered && isIdleRace(this.#restedMs, performance.now() - this.#startedAt);
    const { owner } = this.#connection;
    if (this.#restedMs !== null && !this.answered) owner.onStale();
    if (raced) owner.onExpired(this.#restedMs ?? 0);
    this.#connection.destroy();
    this.#events.onFail({
      code,
      phase: this.#phase(),
      detail,
      raced,
      sent: this.#sent,
      answered: this.answered,
    });
  }

  /* ---- inside ---- */

  /** True where payload becomes chunks here. */
  get #encodes(): boolean {
    const { kind } = this.#request.framing;
    return kind === 'stream' || kind === 'chunked';
  }

  #phase(): AttemptPhase {
    if (this.#head !== null) return 'body';
    return this.#requestEnded ? 'head' : 'send';
  }

  #hasRoom(): boolean {
    if (this.#connection.outbox.hasRoom()) return true;
    if (!this.#wantsDrain) {
      this.#wantsDrain = true;
      this.#watch();
    }
    return false;
  }

  #watch(): void {
    this.#connection.watchdog.watch(this.#waiting());
  }

  #waiting(): Waiting {
    if (this.#paused) return 'client';
    if (this.#head !== null) return 'body';
    if (this.#wantsDrain) return 'send';
    return this.#requestEnded ? 'head' : 'client';
  }

  #upgraded(head: ResponseHead): void {
    if (this.#request.upgrade === null) {
      this.fail('protocol', 'switched protocols without being asked');
      return;
    }
    this.#close();
    const { socket } = this.#connection;
    const early = this.#connection.release();
    this.#events.onUpgrade(head, createByteStream(socket, early));
  }

  #close(): void {
    this.over = true;
    this.#connection.watchdog.watch('client');
  }
}
