/**
 * Serves HTTP/1 on one connection, plain or inside TLS: reads requests one at a time, keeps pipelined
 * ones for their turn (RFC 9112 section 9.3.2), and decides when the connection ends.
 *
 * FIN alone does not say whether a client left or only finished sending. Here it is a half-close when
 * it comes within `HALF_CLOSE_MS` of the request's end and before the answer has begun. Such a client is
 * probed by `100 Continue`, which RFC 9110 section 15.2 lets every HTTP/1.1 client expect: if nobody is
 * there, the probe is answered by RST, and so is the head of the answer. FIN that comes later means
 * leaving; so does one that comes early but behind the head of the answer, once `HALF_CLOSE_MS` have
 * not brought the answer's end.
 */
import assert from 'node:assert';
import type net from 'node:net';
import type { ErrorCode } from '../core/errors.ts';
import { createRequestParser } from '../core/http1/request-parser.ts';
import type { CodecError, CodecErrorCode } from '../core/http1/types.ts';
import {
  CLIENT_BODY_IDLE_MS_MAX,
  CLIENT_HEAD_MS_MAX,
  DRAIN_IDLE_MS,
  DRAIN_TUNNEL_MS,
  HALF_CLOSE_MS,
  HALF_CLOSE_PROBES_MAX,
  LINGER_MS_MAX,
} from '../core/limits.ts';
import { CONTINUE, type Field, type RequestHead } from '../core/message.ts';
import type { ByteStream, Via } from '../core/ports.ts';
import { createByteStream } from '../sockets/byte-stream.ts';
import { Outbox } from '../sockets/outbox.ts';
import { Silence } from '../sockets/silence.ts';
import { judge, type Scope } from './admission.ts';
import { answerAndClose, closeLingering, resetAfterFlush } from './closing.ts';
import type { ConnectionContext, Role } from './context.ts';
import { type ExchangeLink, Http1Exchange } from './h1-exchange.ts';
import { serve } from './serve.ts';

/** Takes a connection over after CONNECT, with the bytes that came behind its head. */
export type TunnelOpener = (
  socket: net.Socket,
  early: Buffer,
  target: { readonly host: string; readonly port: number },
  isIntercepted: boolean,
) => void;

export interface Http1ConnectionOptions {
  /** What HTTP is spoken on; its `error` listener is there already. */
  readonly socket: net.Socket;
  /** The TCP socket underneath: the same one, or that of the TLS socket. */
  readonly raw: net.Socket;
  readonly scope: Scope;
  readonly context: ConnectionContext;
  readonly openTunnel: TunnelOpener;
}

const GATEWAY: Via = { kind: 'gateway' };

export class Http1Connection implements Role, ExchangeLink {
  readonly outbox: Outbox;
  isLast = false;
  readonly #options: Http1ConnectionOptions;
  readonly #socket: net.Socket;
  readonly #parser = createRequestParser({
    onHead: (head) => this.#onHead(head),
    onBody: (wire, data) => this.#exchange?.requestBody(wire, data),
    onEnd: (trailers) => {
      this.#requestEndedAt = performance.now();
      this.#exchange?.requestEnd(trailers);
    },
    onError: (error) => this.#onError(error),
  });
  #exchange: Http1Exchange | null = null;
  #requestEndedAt = 0;
  /** Reading stopped because the next request is there already. */
  #isHolding = false;
  #hasFin = false;
  /** Nothing is read here any more. */
  #isDetached = false;
  #probes = 0;
  /** One timer: for a partial head, an idle connection that drains, or a half-closed client. */
  #timer: NodeJS.Timeout | null = null;
  /** Runs from FIN on, until the connection is over. */
  #flushTimer: NodeJS.Timeout | null = null;
  /** Watches while more of a request body must come. */
  readonly #bodySilence = new Silence(() => this.#onBodySilence());

  constructor(options: Http1ConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.outbox = new Outbox(options.socket, () => this.#exchange?.drained());
  }

  /** Begins to serve. `first` was read already. */
  start(first: Buffer): void {
    const socket = this.#socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onFin);
    socket.on('close', this.#onSocketClose);
    this.#options.context.become(this);
    if (first.length > 0) this.#onData(first);
    if (!this.#isDetached && !this.#isHolding && this.#exchange?.isPaused !== true) {
      socket.resume();
    }
  }

  drain(): void {
    this.isLast = true;
    if (this.#exchange === null && this.#timer === null && !this.#isDetached) {
      this.#arm(DRAIN_IDLE_MS, () => this.#closeIfIdle());
    }
  }

  /**
   * Lets go of the client at once. One that only ended its side reads on: FIN would tell it that an
   * answer is whole that nothing but the close delimits.
   */
  abandon(): void {
    if (this.#exchange?.endsByClose === true) this.#options.raw.resetAndDestroy();
    else this.#socket.destroy();
  }

  /* ---- for the exchange ---- */

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    if (!this.#isDetached) this.#socket.resume();
  }

  completed(): void {
    this.#endExchange();
    if (this.isLast) {
      this.#close();
      return;
    }
    this.#parser.next();
    if (this.#isDetached) return;
    if (this.#hasFin && this.#exchange === null) this.#close();
    else this.#settle();
  }

  finishCut(onFlushed: () => void): void {
    this.#socket.once('finish', onFlushed);
    this.#close();
  }

  resetCut(): void {
    this.#detach();
    resetAfterFlush(this.#options.raw, this.outbox);
  }

  refuse(code: ErrorCode, detail: string, extra: readonly Field[] = []): void {
    this.#detach();
    this.outbox.flush();
    answerAndClose(this.#socket, code, detail, extra);
  }

  becomeStream(onClose: (isWhole: boolean) => void): ByteStream {
    const socket = this.#socket;
    const early = this.#release();
    // From here on the stream knows best how the connection ends.
    socket.removeListener('close', this.#onSocketClose);
    this.#options.context.become({ drain: () => socket.setTimeout(DRAIN_TUNNEL_MS) });
    return createByteStream(socket, early, (isWhole) => {
      onClose(isWhole);
      this.#endExchange();
    });
  }

  /* ---- reading ---- */

  readonly #onData = (bytes: Buffer): void => {
    this.#parser.push(bytes);
    if (!this.#isDetached) this.#settle();
  };

  readonly #onFin = (): void => {
    this.#hasFin = true;
    this.#parser.finish();
    if (this.#isDetached) return;
    this.#watchFlush();
    const exchange = this.#exchange;
    if (exchange === null) this.#close();
    else if (!exchange.isAnswered) this.#judgeFin(exchange);
  };

  /**
   * After FIN, a client that takes nothing of what waits for it has left. A TLS socket whose peer reset
   * the connection may say only that: it ends, and its writes are neither done nor failed.
   */
  #watchFlush(): void {
    const socket = this.#socket;
    const accepted = socket.bytesWritten - socket.writableLength;
    this.#flushTimer = setTimeout(() => {
      const isStuck = socket.bytesWritten - socket.writableLength === accepted;
      if (this.outbox.pendingBytes > 0 && isStuck) socket.destroy();
      else this.#watchFlush();
    }, LINGER_MS_MAX);
  }

  readonly #onSocketClose = (): void => {
    this.#detach();
    this.#exchange?.socketClosed();
    this.#endExchange();
  };

  #onHead(head: RequestHead): void {
    this.#disarm();
    const { scope, context, openTunnel } = this.#options;
    const verdict = judge(head, scope, context.settings);
    if (verdict.act === 'tunnel') {
      openTunnel(this.#socket, this.#release(), verdict.target, verdict.isIntercepted);
      return;
    }
    if (verdict.act === 'refuse') {
      this.refuse(verdict.code, verdict.detail, verdict.extra);
      return;
    }
    const shown = verdict.act === 'exchange' || verdict.act === 'forward' ? verdict.head : head;
    const via = verdict.act === 'exchange' ? verdict.via : GATEWAY;
    const exchange = new Http1Exchange(shown, via, this);
    this.#exchange = exchange;
    context.counts.exchanges += 1;
    serve(exchange, verdict, context);
    assert(exchange.isReading, 'a request is read by whoever takes it');
  }

  #onError(error: CodecError): void {
    const code = ERROR_CODES[error.code];
    const exchange = this.#exchange;
    if (exchange === null) this.refuse(code, error.detail);
    else exchange.requestFailed(code, error.detail);
  }

  /** After bytes were read: what to wait for, and whether to read on. */
  #settle(): void {
    const exchange = this.#exchange;
    this.#watchBody(exchange !== null && !exchange.isRequestEnded);
    const hasMore = !this.#parser.idle;
    if (hasMore && exchange === null && this.#timer === null) {
      this.#arm(CLIENT_HEAD_MS_MAX, this.#onHeadTimeout);
    }
    const mustHold = hasMore && exchange?.isRequestEnded === true;
    if (mustHold === this.#isHolding) return;
    this.#isHolding = mustHold;
    if (mustHold) this.#socket.pause();
    else if (exchange === null || !exchange.isPaused) this.#socket.resume();
  }

  #watchBody(isAwaited: boolean): void {
    if (isAwaited) this.#bodySilence.watch(CLIENT_BODY_IDLE_MS_MAX);
    else this.#bodySilence.rest();
  }

  #onBodySilence(): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    // Held up by us, or already answered: silence is not the client's fault, or nobody's concern.
    if (exchange.isPaused || exchange.isAnswering) this.#watchBody(true);
    else exchange.requestFailed('request_timeout', 'its body fell silent');
  }

  readonly #onHeadTimeout = (): void => {
    this.refuse('request_timeout', '');
  };

  /** FIN while the answer is not complete: see the top of this file. */
  #judgeFin(exchange: Http1Exchange): void {
    const isLate = performance.now() - this.#requestEndedAt > HALF_CLOSE_MS;
    if (isLate) this.abandon();
    else this.#arm(HALF_CLOSE_MS, exchange.isAnswering ? this.#leave : this.#probe);
  }

  /** An answer under way can not be probed, and an upstream that is silent now may be so for long. */
  readonly #leave = (): void => this.abandon();

  readonly #probe = (): void => {
    const exchange = this.#exchange;
    if (exchange === null || exchange.isAnswering || this.#probes >= HALF_CLOSE_PROBES_MAX) return;
    this.#probes += 1;
    exchange.interim(CONTINUE);
    this.#arm(HALF_CLOSE_MS, this.#probe);
  };

  /* ---- ending ---- */

  #closeIfIdle(): void {
    if (this.#exchange !== null) return;
    if (this.#parser.idle) this.#close();
    else this.#arm(CLIENT_HEAD_MS_MAX, this.#onHeadTimeout);
  }

  #endExchange(): void {
    if (this.#exchange === null) return;
    this.#exchange = null;
    this.#options.context.counts.exchanges -= 1;
    this.#disarm();
    this.#watchBody(false);
  }

  #close(): void {
    this.#detach();
    this.outbox.flush();
    closeLingering(this.#socket);
  }

  /** Stops reading for good and gives back what was read ahead. */
  #release(): Buffer {
    this.#socket.pause();
    this.#detach();
    this.outbox.flush();
    return this.#parser.release();
  }

  #detach(): void {
    if (this.#isDetached) return;
    this.#isDetached = true;
    this.#disarm();
    this.#bodySilence.close();
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#socket.removeListener('data', this.#onData);
    this.#socket.removeListener('end', this.#onFin);
  }

  #arm(ms: number, run: () => void): void {
    this.#disarm();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      run();
    }, ms);
  }

  #disarm(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}

const ERROR_CODES: Readonly<Record<CodecErrorCode, ErrorCode>> = {
  bad_start_line: 'bad_request',
  bad_field: 'bad_request',
  bad_framing: 'bad_request',
  bad_chunk: 'bad_request',
  bad_trailer: 'bad_request',
  bad_host: 'bad_host',
  head_too_large: 'head_too_large',
  coding_unsupported: 'not_implemented',
  version_unsupported: 'version_unsupported',
  truncated: 'bad_request',
};
