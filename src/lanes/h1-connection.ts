/**
 * One HTTP/1.1 connection to an upstream: a socket, its parser, and at most one exchange at a time
 * (no pipelining).
 *
 * Listeners are attached once for the life of the socket. Between exchanges it flows on, so that a
 * byte, a FIN or an error is noticed at once and the connection is dropped instead of being reused
 * (RFC 9112 section 9.3.1, and its 9.2 for bytes that nobody asked for).
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { createResponseParser } from '../core/http1/response-parser.ts';
import type { CodecError, ResponseEvents, ResponseParser } from '../core/http1/types.ts';
import { UPSTREAM_FLUSH_MS_MAX } from '../core/limits.ts';
import type { Fields, ResponseHead } from '../core/message.ts';
import type { OutboundEvents } from '../core/ports.ts';
import { Outbox } from '../sockets/outbox.ts';
import { brokenConnection, errorDetail } from './failure.ts';
import { type EncodedRequest, H1Exchange } from './h1-exchange.ts';
import type { Upstream } from './upstream.ts';
import { timeoutOf, Watchdog } from './watchdog.ts';

/** Who keeps the connection between its exchanges. */
export interface H1Owner {
  /** Its exchange is over and it may serve another. */
  onIdle(connection: H1Connection): void;
  /** It is gone for good; called once, idle or busy. */
  onGone(connection: H1Connection): void;
  /** It had been reused and broke before any byte of an answer: its idle siblings may be dead too. */
  onStale(): void;
  /** The upstream ended it after it had rested for so long, ms. */
  onExpired(restedMs: number): void;
}

export class H1Connection implements ResponseEvents {
  readonly socket: Socket;
  readonly upstream: Upstream;
  readonly parser: ResponseParser;
  /** All that is written to the socket. */
  readonly outbox: Outbox;
  /** Of the exchange under way. */
  readonly watchdog: Watchdog;
  readonly owner: H1Owner;
  /** When it became idle, `performance.now()`; null while it is not. */
  #idleSince: number | null = null;
  #exchange: H1Exchange | null = null;
  #gone = false;
  #flushTimer: NodeJS.Timeout | null = null;
  /** The socket speaks another protocol now, and its events are not ours. */
  #released = false;

  constructor(socket: Socket, upstream: Upstream, owner: H1Owner) {
    this.socket = socket;
    this.upstream = upstream;
    this.owner = owner;
    this.parser = createResponseParser(this);
    this.watchdog = new Watchdog(upstream.timeouts, upstream.wake, (waiting) =>
      this.#exchange?.fail(...timeoutOf(waiting)),
    );
    socket.on('error', (error) => this.#broken(error));
    socket.on('close', () => this.#closed());
    socket.on('end', () => this.#finished());
    this.outbox = new Outbox(socket, () => this.#exchange?.drained());
    socket.on('data', (bytes: Buffer) => this.#received(bytes));
  }

  /** How long it has been idle, ms; 0 while it is not. */
  get restedMs(): number {
    return this.#idleSince === null ? 0 : performance.now() - this.#idleSince;
  }

  /** True if the next request may be sent on it. */
  get usable(): boolean {
    const { socket } = this;
    return (
      !this.#gone &&
      this.#exchange === null &&
      this.parser.idle &&
      !socket.destroyed &&
      socket.writable &&
      !socket.readableEnded
    );
  }

  /** Begins an exchange. The connection must be usable. */
  start(request: EncodedRequest, events: OutboundEvents): H1Exchange {
    assert(this.usable, 'the connection can not serve a request');
    const restedMs = this.#idleSince === null ? null : this.restedMs;
    this.#idleSince = null;
    const exchange = new H1Exchange(this, request, events, restedMs);
    this.#exchange = exchange;
    if (restedMs !== null) this.socket.ref();
    this.parser.expect(request.prepared.method);
    exchange.begin(request.head);
    return exchange;
  }

  /** Ends the connection at once; what its exchange still had to hear is its own affair. */
  destroy(): void {
    this.#exchange = null;
    this.#leave();
    this.socket.destroy();
  }

  /** Gives the socket away after a 101: it is nobody's connection any more. */
  release(): Buffer {
    this.#exchange = null;
    this.#released = true;
    this.#leave();
    this.socket.pause();
    this.outbox.flush();
    this.outbox.detach();
    return this.parser.release();
  }

  onInterim(head: ResponseHead): void {
    this.#exchange?.interim(head);
  }

  onHead(head: ResponseHead): void {
    this.#exchange?.head(head);
  }

  onBody(wire: Buffer, data: readonly Buffer[] | null): void {
    this.#exchange?.body(wire, data);
  }

  onEnd(trailers: Fields): void {
    this.#exchange?.ended(trailers);
  }

  onError(error: CodecError): void {
    const exchange = this.#exchange;
    const code = error.code === 'truncated' ? 'closed' : 'protocol';
    // Bytes behind a complete answer hurt nobody but the connection.
    if (exchange === null || exchange.over) this.destroy();
    else exchange.fail(code, `${error.code}: ${error.detail}`);
  }

  #received(bytes: Buffer): void {
    if (this.#released) return;
    const exchange = this.#exchange;
    if (exchange === null) {
      this.destroy();
      return;
    }
    exchange.answered = true;
    this.parser.push(bytes);
    this.#settle(exchange);
  }

  /** FIN of the upstream: the end of an answer that only the connection delimits, else a cut. */
  #finished(): void {
    if (this.#released) return;
    this.#expired();
    const exchange = this.#exchange;
    if (exchange !== null) {
      this.parser.finish();
      if (!exchange.over) exchange.fail('closed', 'the upstream closed the connection');
    }
    this.destroy();
  }

  #broken(error: Error): void {
    if (this.#released) return;
    this.#expired();
    this.#readRest();
    this.#exchange?.fail(brokenConnection(error), errorDetail(error));
    this.destroy();
  }

  /**
   * What had come before the connection broke, and waited for a client that reads slowly: it may be all
   * that was missing. No more than one buffer of the socket.
   */
  #readRest(): void {
    const { socket } = this;
    let bytes: Buffer | null = socket.read();
    while (bytes !== null && this.#exchange !== null) {
      this.#received(bytes);
      bytes = socket.read();
    }
  }

  #expired(): void {
    if (!this.#gone && this.#idleSince !== null) this.owner.onExpired(this.restedMs);
  }

  #closed(): void {
    if (this.#released) return;
    this.#exchange?.fail('closed', 'the connection was closed');
    this.destroy();
  }

  /**
   * After a piece was parsed to its end: only now is it known that nothing follows a complete answer,
   * so only now may the connection serve another exchange.
   */
  #settle(exchange: H1Exchange): void {
    if (this.#exchange !== exchange || !exchange.over) return;
    this.#exchange = null;
    if (!exchange.reusable || !this.usable) {
      this.destroy();
      return;
    }
    // On a near upstream the answer overtakes the word that the request's last bytes were accepted.
    if (this.outbox.pendingBytes === 0) this.#rest();
    else this.#restOnceFlushed();
  }

  #restOnceFlushed(): void {
    this.#flushTimer = setTimeout(() => this.destroy(), UPSTREAM_FLUSH_MS_MAX);
    this.outbox.whenFlushed(() => {
      this.#stopFlushTimer();
      if (this.usable) this.#rest();
    });
  }

  #rest(): void {
    const { socket } = this;
    if (socket.isPaused()) socket.resume();
    socket.unref();
    this.#idleSince = performance.now();
    this.owner.onIdle(this);
  }

  #stopFlushTimer(): void {
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#flushTimer = null;
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#stopFlushTimer();
    this.watchdog.close();
    this.owner.onGone(this);
  }
}
