/**
 * Reads the answers on one upstream connection (RFC 9112).
 *
 * An answer is read only where one is expected. Bytes behind a complete answer are no start of the
 * next: nobody asked for it yet, and taking it for the answer to the next request is how responses
 * get swapped (section 9.2). They are refused, and `idle` is false already when `onEnd` is called, so
 * that an owner that keeps connections for reuse can look there.
 */
import assert from 'node:assert/strict';
import { HEAD_BYTES_MAX, INTERIM_ANSWERS_MAX } from '../limits.ts';
import { BodyReader } from './body.ts';
import { parseResponseHead } from './head.ts';
import { isRefusal, refuse } from './refusal.ts';
import { SectionReader } from './section.ts';
import type { CodecError, ResponseEvents, ResponseParser } from './types.ts';

type State =
  | 'idle'
  | 'head'
  | 'body'
  /** After 101, or 2xx to CONNECT: no HTTP any more, the bytes wait for `release`. */
  | 'tunnel'
  | 'failed'
  | 'released';

const NOTHING: Buffer = Buffer.alloc(0);

/** Makes a parser for one upstream connection. */
export function createResponseParser(events: ResponseEvents): ResponseParser {
  return new Http1ResponseParser(events);
}

class Http1ResponseParser implements ResponseParser {
  readonly #events: ResponseEvents;
  readonly #section = new SectionReader('response', HEAD_BYTES_MAX);
  readonly #body = new BodyReader();
  #state: State = 'idle';
  #method = '';
  /** Interim answers before the final one that is expected. */
  #interims = 0;
  /** The piece being read, and how far. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  #running = false;
  /** Pieces of a tunnel that wait for `release`. */
  #kept: Buffer[] = [];

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  get idle(): boolean {
    return this.#state === 'idle';
  }

  expect(method: string): void {
    assert(this.#state === 'idle', 'another answer is under way');
    this.#method = method;
    this.#interims = 0;
    this.#state = 'head';
  }

  push(bytes: Buffer): void {
    assert(!this.#running, 'push from within an event');
    assert(this.#state !== 'released', 'push after release');
    if (this.#state === 'failed' || bytes.length === 0) return;
    if (this.#state === 'idle') this.#fail(UNEXPECTED);
    else if (this.#state === 'tunnel') this.#kept.push(bytes);
    else this.#run(bytes);
  }

  finish(): void {
    assert(!this.#running, 'finish from within an event');
    if (this.#state === 'body' && this.#body.untilClose) {
      this.#state = 'idle';
      this.#events.onEnd(this.#body.trailers);
    } else if (this.#state === 'head' || this.#state === 'body') {
      this.#fail(refuse('truncated', 'the answer is incomplete (RFC 9112, 8)'));
    }
  }

  release(): Buffer {
    assert(this.#state !== 'released' && this.#state !== 'failed', 'nothing to release');
    const pieces: Buffer[] = [];
    const held = this.#section.take();
    if (held !== null) pieces.push(held);
    if (this.#at < this.#chunk.length) pieces.push(this.#chunk.subarray(this.#at));
    pieces.push(...this.#kept);
    this.#forget('released');
    const [only = NOTHING] = pieces;
    return pieces.length <= 1 ? only : Buffer.concat(pieces);
  }

  #run(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
    this.#running = true;
    while (this.#at < this.#chunk.length && (this.#state === 'head' || this.#state === 'body')) {
      if (this.#state === 'head') this.#readHead();
      else this.#readBody();
    }
    this.#running = false;
    if (this.#state === 'tunnel' && this.#at < this.#chunk.length) {
      this.#kept.push(this.#chunk.subarray(this.#at));
    }
    this.#chunk = NOTHING;
    this.#at = 0;
  }

  #readHead(): void {
    const section = this.#section.read(this.#chunk, this.#at);
    this.#at = this.#section.position;
    if (this.#section.error !== null) {
      this.#fail(this.#section.error);
      return;
    }
    if (section === null) return;
    const head = parseResponseHead(section, this.#method);
    if (isRefusal(head)) {
      this.#fail(head);
      return;
    }
    const { status } = head;
    if (status < 200 && status !== 101) {
      this.#interims += 1;
      if (this.#interims > INTERIM_ANSWERS_MAX) this.#fail(TOO_MANY);
      else this.#events.onInterim(head);
      return;
    }
    const isTunnel = status === 101 || (this.#method === 'CONNECT' && status < 300);
    this.#state = isTunnel ? 'tunnel' : 'body';
    this.#body.start(head.framing);
    this.#events.onHead(head);
    if (this.#state === 'body' && this.#body.ended) this.#end();
  }

  #readBody(): void {
    const chunk = this.#chunk;
    const from = this.#at;
    const to = this.#body.read(chunk, from);
    this.#at = to;
    if (to > from) {
      const wire = to - from === chunk.length ? chunk : chunk.subarray(from, to);
      this.#events.onBody(wire, this.#body.payload);
      if (this.#state !== 'body') return;
    }
    if (this.#body.error !== null) this.#fail(this.#body.error);
    else if (this.#body.ended) this.#end();
  }

  #end(): void {
    const isClean = this.#at === this.#chunk.length;
    const { trailers } = this.#body;
    if (!isClean) this.#forget('failed');
    else this.#state = 'idle';
    this.#events.onEnd(trailers);
    if (!isClean) this.#events.onError(UNEXPECTED);
  }

  #fail(error: CodecError): void {
    this.#forget('failed');
    this.#events.onError(error);
  }

  #forget(state: State): void {
    this.#state = state;
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#kept = [];
  }
}

const TOO_MANY: CodecError = refuse(
  'bad_start_line',
  'interim answers without end (RFC 9110, 15.2)',
);
const UNEXPECTED: CodecError = refuse('bad_start_line', 'bytes that no request asked for');
