/**
 * One exchange as a stream of an HTTP/2 session (RFC 9113).
 *
 * What node:http2 tells is turned into one end: `onEnd` only where the peer's END_STREAM came, else a
 * failure with the reason that RST_STREAM, GOAWAY or the connection gave. An abort destroys the stream in
 * the same turn, as a deferred one leaks under a busy loop.
 */
import assert from 'node:assert/strict';
import { type ClientHttp2Stream, constants } from 'node:http2';
import { fieldValue } from '../core/fields.ts';
import { INTERIM_ANSWERS_MAX, UPSTREAM_FLUSH_MS_MAX } from '../core/limits.ts';
import type { Fields, Framing, ResponseHead } from '../core/message.ts';
import type { AttemptPhase, Outbound, OutboundEvents } from '../core/ports.ts';
import { isIdleRace } from '../core/retry.ts';
import { brokenConnection, errorCode, errorDetail, type FailureCode } from './failure.ts';
import { cancelStream } from './h2-cancel.ts';
import { fieldsFromH2, h2RequestHeaders, h2Trailers } from './h2-fields.ts';
import type { H2Session } from './h2-session.ts';
import type { PreparedRequest } from './lane.ts';
import { timeoutOf, type Waiting, Watchdog } from './watchdog.ts';

/** What node:http2 says of a session that takes no more streams: the next one serves. */
const SPENT_SESSION: ReadonlySet<string> = new Set([
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_OUT_OF_STREAMS',
]);
const END_STREAM_FLAG = constants.NGHTTP2_FLAG_END_STREAM;

export class H2Exchange implements Outbound {
  readonly protocol = 'h2';
  readonly #session: H2Session;
  readonly #request: PreparedRequest;
  readonly #events: OutboundEvents;
  readonly #watchdog: Watchdog;
  /** Of the body, until it was sent; they count against the session's window. */
  #owed: number;
  readonly #restedMs: number | null;
  readonly #startedAt = performance.now();
  #stream: ClientHttp2Stream | null = null;
  #over = false;
  #left = false;
  #sent = false;
  #answered = false;
  #interims = 0;
  #requestEnded = false;
  #paused = false;
  #wantsDrain = false;
  /** The peer's END_STREAM has come; what it ended may still wait to be read. */
  #complete = false;
  #error: Error | null = null;
  #head: ResponseHead | null = null;
  #trailersOut: Fields = [];
  #trailersIn: Fields = [];

  /** @param restedMs how long the session had been idle; null on one that is new */
  constructor(
    session: H2Session,
    request: PreparedRequest,
    events: OutboundEvents,
    restedMs: number | null,
    bodyBytes: number,
  ) {
    this.#session = session;
    this.#request = request;
    this.#events = events;
    this.#restedMs = restedMs;
    this.#owed = bodyBytes;
    this.#watchdog = new Watchdog(session.upstream.timeouts, session.upstream.wake, (waiting) =>
      this.#fail(...timeoutOf(waiting)),
    );
  }

  /** Opens the stream; a head that node:http2 refuses fails the exchange in a later turn. */
  begin(): void {
    const { framing } = this.#request;
    this.#requestEnded = framing.kind === 'none';
    try {
      this.#stream = this.#session.session.request(h2RequestHeaders(this.#request), {
        endStream: this.#requestEnded,
        waitForTrailers: this.#waitsForTrailers,
      });
    } catch (error) {
      const spent = SPENT_SESSION.has(errorCode(error));
      if (spent) this.#session.close();
      const code = spent ? 'not_processed' : 'protocol';
      process.nextTick(() => this.#fail(code, errorDetail(error)));
      return;
    }
    this.#sent = true;
    this.#listen(this.#stream);
    this.#watch();
  }

  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    const stream = this.#stream;
    if (this.#over || this.#requestEnded || stream === null || !stream.writable) return true;
    if (data === null) stream.write(wire);
    else for (const piece of data) stream.write(piece);
    if (!stream.writableNeedDrain) return true;
    this.#wantsDrain = true;
    this.#watch();
    return false;
  }

  end(trailers: Fields): void {
    const stream = this.#stream;
    if (this.#over || this.#requestEnded || stream === null) return;
    this.#trailersOut = trailers;
    this.#requestEnded = true;
    stream.end();
    this.#watch();
  }

  pause(): void {
    if (this.#over || this.#paused) return;
    this.#paused = true;
    if (this.#head !== null) this.#stream?.pause();
    this.#watch();
  }

  resume(): void {
    if (this.#over || !this.#paused) return;
    this.#paused = false;
    this.#watch();
    if (this.#head !== null) this.#stream?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#close();
    this.#reset();
  }

  /* ---- inside ---- */

  /** Only these framings can carry trailers. */
  get #waitsForTrailers(): boolean {
    const { kind } = this.#request.framing;
    return kind === 'chunked' || kind === 'stream';
  }

  #listen(stream: ClientHttp2Stream): void {
    // 'close' follows and ends the exchange.
    stream.on('error', (error) => {
      this.#error = error;
    });
    stream.on('headers', (_headers, _flags, raw: string[]) => this.#interim(raw));
    stream.on('response', (_headers, flags, raw: string[]) => this.#gotHead(stream, flags, raw));
    stream.on('trailers', (_headers, _flags, raw: string[]) => {
      this.#trailersIn = fieldsFromH2(raw);
    });
    stream.on('wantTrailers', () => this.#sendTrailers(stream));
    stream.on('drain', () => this.#drained());
    stream.on('finish', () => this.#bodySent());
    stream.on('close', () => this.#closed(stream));
    watchEndStream(stream, () => {
      this.#complete = true;
    });
  }

  #interim(raw: readonly string[]): void {
    if (this.#over) return;
    this.#answered = true;
    this.#interims += 1;
    if (this.#interims > INTERIM_ANSWERS_MAX) {
      this.#fail('protocol', 'interim answers without end');
      return;
    }
    this.#watchdog.touch();
    this.#events.onInterim(headFromH2(raw, { kind: 'none' }));
  }

  #gotHead(stream: ClientHttp2Stream, flags: number, raw: readonly string[]): void {
    if (this.#over) return;
    this.#answered = true;
    const bodyless = (flags & END_STREAM_FLAG) !== 0 || this.#request.method === 'HEAD';
    const head = headFromH2(raw, bodyless ? { kind: 'none' } : null);
    this.#head = head;
    this.#watch();
    this.#events.onHead(head);
    // Only now: a DATA frame in the same segment would otherwise overtake the head.
    stream.on('data', (bytes: Buffer) => this.#body(bytes));
    stream.on('end', () => this.#ended());
    if (this.#paused) stream.pause();
  }

  #body(bytes: Buffer): void {
    if (this.#over) return;
    this.#watchdog.touch();
    this.#events.onBody(bytes, null);
  }

  /** All that came was read; it was whole only if the peer ended it. */
  #ended(): void {
    if (this.#over || !this.#complete) return;
    this.#close();
    const trailers = this.#trailersIn;
    // An answer before the end of the request: the rest is of no use to anybody.
    if (!this.#requestEnded) this.#reset();
    else this.#resetLate();
    this.#events.onEnd(trailers);
  }

  /** The end of the request may wait for a window that the upstream, being done, never opens. */
  #resetLate(): void {
    const stream = this.#stream;
    if (stream === null || stream.closed) return;
    const timer = setTimeout(() => this.#reset(), UPSTREAM_FLUSH_MS_MAX);
    stream.once('close', () => clearTimeout(timer));
  }

  #drained(): void {
    if (this.#over || !this.#wantsDrain) return;
    this.#wantsDrain = false;
    this.#watch();
    if (!this.#requestEnded) this.#events.onDrain();
  }

  /** The stream is gone; an exchange that has not ended by now did not end well. */
  #closed(stream: ClientHttp2Stream): void {
    if (!this.#over && this.#complete && this.#head !== null) {
      // The connection went after a whole answer that a slow client had not read yet.
      for (let rest = stream.read(); rest !== null && !this.#over; rest = stream.read()) {
        this.#body(rest as Buffer);
      }
      this.#ended();
    }
    if (!this.#over) {
      const { code, detail, lost } = this.#reason(stream);
      this.#fail(code, detail, lost);
    }
    this.#leave();
  }

  /** `lost`: the connection went, and not the stream alone, which would mean that somebody had read it. */
  #reason(stream: ClientHttp2Stream): { code: FailureCode; detail: string; lost?: boolean } {
    const { ended, lastStreamId } = this.#session;
    const { rstCode } = stream;
    // The stream hears of a broken connection first, and of its own reset in the same way.
    const own = errorCode(this.#error) === 'ERR_HTTP2_STREAM_ERROR' ? null : this.#error;
    const cause = this.#session.cause ?? own;
    if ((stream.id ?? 0) > lastStreamId) {
      return { code: 'not_processed', detail: 'GOAWAY below the stream' };
    }
    if (rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      return { code: 'not_processed', detail: 'REFUSED_STREAM' };
    }
    if (cause !== null) {
      return { code: brokenConnection(cause), detail: errorDetail(cause), lost: true };
    }
    if (ended) return { code: 'closed', detail: 'the upstream closed the connection', lost: true };
    if (rstCode === constants.NGHTTP2_PROTOCOL_ERROR) {
      return { code: 'protocol', detail: 'stream error PROTOCOL_ERROR' };
    }
    return { code: 'reset', detail: `RST_STREAM ${rstCode}` };
  }

  /** Trailers that node:http2 refuses (a field repeated that stands once) fail the exchange. */
  #sendTrailers(stream: ClientHttp2Stream): void {
    try {
      stream.sendTrailers(h2Trailers(this.#trailersOut));
    } catch (error) {
      this.#fail('protocol', errorDetail(error));
    }
  }

  #fail(code: FailureCode, detail: string, lost = false): void {
    if (this.#over) return;
    this.#close();
    const sinceMs = performance.now() - this.#startedAt;
    const raced =
      lost && !this.#answered && !this.#wasSeen() && isIdleRace(this.#restedMs, sinceMs);
    if (raced) this.#session.upstream.idle.learn(this.#restedMs ?? 0);
    this.#reset();
    this.#events.onFail({
      code,
      phase: this.#phase(),
      detail,
      raced,
      sent: this.#sent,
      answered: this.#answered,
    });
  }

  /**
   * The peer reset the stream itself, or ended the session with a GOAWAY that covers it: it has had the
   * request, so this is no race with the end of a connection that was idle.
   */
  #wasSeen(): boolean {
    const { lastStreamId } = this.#session;
    if (Number.isFinite(lastStreamId)) return (this.#stream?.id ?? 0) <= lastStreamId;
    const isReset = errorCode(this.#error) === 'ERR_HTTP2_STREAM_ERROR';
    return isReset && this.#stream?.rstCode !== constants.NGHTTP2_REFUSED_STREAM;
  }

  /** Lets go of the stream, now: the peer hears CANCEL. */
  #reset(): void {
    const stream = this.#stream;
    if (stream !== null && !stream.destroyed) cancelStream(stream, this.#waitsForTrailers);
    if (stream === null) this.#leave();
  }

  /** Gives the part of the session's window back, once. */
  #bodySent(): void {
    const bodyBytes = this.#owed;
    this.#owed = 0;
    if (bodyBytes > 0) this.#session.sent(bodyBytes);
  }

  /** Gives the place in the session back, once. */
  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#bodySent();
    this.#session.leave();
  }

  #phase(): AttemptPhase {
    if (this.#head !== null) return 'body';
    return this.#requestEnded ? 'head' : 'send';
  }

  #watch(): void {
    this.#watchdog.watch(this.#waiting());
  }

  #waiting(): Waiting {
    if (this.#paused) return 'client';
    if (this.#head !== null) return 'body';
    if (this.#wantsDrain) return 'send';
    return this.#requestEnded ? 'head' : 'client';
  }

  #close(): void {
    assert(!this.#over, 'an exchange ends once');
    this.#over = true;
    this.#watchdog.close();
  }
}

/**
 * Tells when the peer's END_STREAM has come. node:http2 shows the end of the stream of bytes, but
 * RST_STREAM with NO_ERROR looks the same there; only when the end is pushed by a frame is the stream
 * not closed yet.
 */
function watchEndStream(stream: ClientHttp2Stream, onEndStream: () => void): void {
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null && !stream.closed && !stream.destroyed) onEndStream();
    return push(chunk, encoding);
  };
}

function headFromH2(raw: readonly string[], framing: Framing | null): ResponseHead {
  const fields = fieldsFromH2(raw);
  const status = Number(raw[raw.indexOf(constants.HTTP2_HEADER_STATUS) + 1]);
  assert(Number.isInteger(status), 'node:http2 lets no head without a status through');
  return {
    status,
    reason: '',
    version: '2',
    fields,
    framing: framing ?? bodyFraming(status, fields),
    keepAlive: true,
  };
}

function bodyFraming(status: number, fields: Fields): Framing {
  if (status === 204 || status === 304) return { kind: 'none' };
  const length = fieldValue(fields, 'content-length');
  return length === undefined ? { kind: 'stream' } : { kind: 'length', length: Number(length) };
}
