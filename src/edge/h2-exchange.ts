/**
 * One HTTP/2 stream of a client as the relay sees it (RFC 9113 section 8).
 *
 * Flow control is per hop (section 5.2): the window opens as the relay takes bytes, and `write` says
 * when the client's window, or the socket, is full. A cut is RST_STREAM with INTERNAL_ERROR, after what
 * was written before it.
 */
import assert from 'node:assert';
import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import { crc32 } from 'node:zlib';
import { endToEnd, fieldValue } from '../core/fields.ts';
import { H2_RELEASE_MS, LINGER_MS_MAX } from '../core/limits.ts';
import {
  type Fields,
  payloadLength,
  type RequestHead,
  type ResponseHead,
} from '../core/message.ts';
import type { ByteStream, Delivery, Inbound, InboundEvents, Via } from '../core/ports.ts';
import { fieldsToHttp2, responseToHttp2, trailersFromHttp2 } from './h2-head.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const COUNTS_LATE = Number.parseInt(process.versions.node, 10) < 26;

export class Http2Exchange implements Inbound {
  readonly head: RequestHead;
  readonly via: Via;
  readonly protocol = 'h2' as const;
  readonly #stream: ServerHttp2Stream;
  /** Kept, since a closed stream has forgotten it. */
  readonly #session: Http2Session | undefined;
  readonly #onOver: () => void;
  #events: InboundEvents | null = null;
  #requestBytes = 0;
  #requestTrailers: Fields = [];
  #isRequestEnded = false;
  #hasResponded = false;
  /** The answer has no body, whatever is written. */
  #isBodiless = false;
  #sendsTrailers = false;
  #trailers: Fields = [];
  #isEnded = false;
  #isCut = false;
  #isOver = false;
  #bytes = 0;
  #crc = 0;

  /** @param onOver called after the relay's `onClose` */
  constructor(head: RequestHead, via: Via, stream: ServerHttp2Stream, onOver: () => void) {
    this.head = head;
    this.via = via;
    this.#stream = stream;
    this.#session = stream.session;
    stream.on('trailers', (_headers, _flags, raw) => {
      this.#requestTrailers = trailersFromHttp2(raw);
    });
    this.#onOver = onOver;
    stream.on('drain', () => {
      if (!this.#isOver && !this.#isEnded && !this.#isCut) this.#events?.onDrain();
    });
    stream.on('wantTrailers', () => {
      // Trailers would end the stream as if it were whole.
      if (this.#isCut) return;
      stream.sendTrailers(fieldsToHttp2(this.#trailers));
      this.#completed();
    });
    stream.on('finish', () => this.#settle());
    stream.on('close', () => this.#closed());
  }

  get isReading(): boolean {
    return this.#events !== null;
  }

  read(events: InboundEvents): void {
    assert(this.#events === null, 'read is called once');
    this.#events = events;
    const stream = this.#stream;
    stream.on('data', (bytes: Buffer) => {
      if (this.#isOver) return;
      this.#requestBytes += bytes.length;
      events.onBody(bytes, null);
    });
    stream.on('end', () => {
      // A reset stream ends too, as far as the reader can see; it is no end of a request.
      if (stream.closed || stream.aborted || !this.#isRequestWhole()) return;
      this.#isRequestEnded = true;
      if (!this.#isOver) events.onEnd(this.#requestTrailers);
    });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  interim(head: ResponseHead): boolean {
    const stream = this.#stream;
    if (this.#hasResponded || stream.closed || stream.destroyed) return true;
    stream.additionalHeaders({ ...fieldsToHttp2(endToEnd(head.fields)), ':status': head.status });
    // Heads are not under flow control: what a session may hold of them is its own bound.
    return true;
  }

  respond(head: ResponseHead): void {
    assert(!this.#hasResponded, 'respond is called once');
    this.#hasResponded = true;
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    const { kind } = head.framing;
    const { method } = this.head;
    const hasNoBody = method === 'HEAD' || head.status === 204 || head.status === 304;
    this.#isBodiless = hasNoBody || kind === 'none';
    // Trailers that were not announced are dropped (RFC 9110 section 6.5.1): waiting for some costs a
    // frame more on every answer, and see `cut`.
    this.#sendsTrailers = !this.#isBodiless && fieldValue(head.fields, 'trailer') !== undefined;
    stream.respond(responseToHttp2(head), {
      endStream: this.#isBodiless,
      waitForTrailers: this.#sendsTrailers,
    });
  }

  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    assert(this.#hasResponded && !this.#isEnded, 'write between respond and end');
    const stream = this.#stream;
    if (this.#isBodiless || this.#isCut || !stream.writable) return true;
    this.#bytes += payloadLength(wire, data);
    if (data === null) {
      this.#crc = crc32(wire, this.#crc);
      return stream.write(wire);
    }
    for (const slice of data) {
      this.#crc = crc32(slice, this.#crc);
      stream.write(slice);
    }
    return !stream.writableNeedDrain;
  }

  end(trailers: Fields): void {
    assert(this.#hasResponded && !this.#isEnded, 'end once, after respond');
    this.#isEnded = true;
    if (this.#isCut) return;
    this.#trailers = trailers;
    // What is left of the request is nobody's any more, and would keep the stream open.
    this.#stream.resume();
    this.#stream.end();
    // Without a body the stream ended with its head.
    this.#settle();
  }

  cut(): void {
    const stream = this.#stream;
    if (this.#isCut || stream.closed || stream.destroyed) return;
    this.#isCut = true;
    const reset = (): void => {
      clearTimeout(timer);
      // Not `close(code)`: it ends the stream before it resets it, and then the client may see a clean
      // end; nor both, since node's core fails an assertion on that and ends the process (26.10).
      stream.destroy(new Error('the answer is cut'));
    };
    const timer = setTimeout(reset, LINGER_MS_MAX);
    if (stream.writable && stream.writableLength > 0) stream.write(NOTHING, reset);
    else reset();
  }

  upgrade(): ByteStream {
    // RFC 9113 section 8.6. A head from HTTP/2 never asks for it.
    throw new assert.AssertionError({ message: 'HTTP/2 has no upgrade' });
  }

  #isRequestWhole(): boolean {
    const { framing } = this.head;
    return framing.kind !== 'length' || framing.length === this.#requestBytes;
  }

  /**
   * A stream whose two sides end in one turn closes without a `finish`, and before Node 26 its last
   * bytes count as unwritten still. There a close without a code, while the session lives, is taken
   * for END_STREAM both ways: a client that resets with NO_ERROR in that moment looks the same.
   */
  #isAllSent(): boolean {
    const { rstCode, writableLength } = this.#stream;
    if (!this.#isEnded || rstCode !== constants.NGHTTP2_NO_ERROR) return false;
    return writableLength === 0 || (COUNTS_LATE && this.#session?.destroyed === false);
  }

  /** The answer is complete: an unfinished request is given up without blame (section 8.1). */
  #releaseRequest(): void {
    const stream = this.#stream;
    if (this.#isRequestEnded || stream.closed) return;
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), H2_RELEASE_MS);
    stream.once('close', () => clearTimeout(timer));
  }

  #settle(): void {
    const isDone = this.#isEnded && this.#stream.writableFinished;
    if (isDone && !this.#isCut && !this.#sendsTrailers) this.#completed();
  }

  #completed(): void {
    this.#over('complete');
    this.#releaseRequest();
  }

  #closed(): void {
    if (this.#isCut) this.#over('cut');
    else this.#over(this.#isAllSent() ? 'complete' : 'gone');
  }

  #over(how: Delivery['how']): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const pending = how === 'complete' ? 0 : this.#stream.writableLength;
    const bytes = Math.max(0, this.#bytes - pending);
    this.#events?.onClose({ how, bytes, crc: this.#crc });
    this.#onOver();
  }
}
