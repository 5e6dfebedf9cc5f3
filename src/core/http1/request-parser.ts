/**
 * Reads the requests of one client connection, one message at a time (RFC 9112).
 *
 * Bytes are pushed in, events come out of the same call; from within an event the owner may call
 * `next` and `release`, but not `push`. Bytes of a pipelined request stay untouched until `next`:
 * an owner that answers one request at a time reads one at a time, and pauses its socket meanwhile.
 */
import assert from 'node:assert/strict';
import { HEAD_BYTES_MAX } from '../limits.ts';
import { BodyReader } from './body.ts';
import { parseRequestHead } from './head.ts';
import { isRefusal, refuse } from './refusal.ts';
import { SectionReader } from './section.ts';
import type { CodecError, RequestEvents, RequestParser } from './types.ts';

type State = 'head' | 'body' | 'ended' | 'failed' | 'released';

const NOTHING: Buffer = Buffer.alloc(0);

/** Makes a parser for one client connection. */
export function createRequestParser(events: RequestEvents): RequestParser {
  return new Http1RequestParser(events);
}

class Http1RequestParser implements RequestParser {
  readonly #events: RequestEvents;
  readonly #section = new SectionReader('request', HEAD_BYTES_MAX);
  readonly #body = new BodyReader();
  #state: State = 'head';
  /** The piece being read, and how far. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  #running = false;
  /** Pieces that wait for `next`, or for the piece being read. */
  #kept: Buffer[] = [];
  #finished = false;

  constructor(events: RequestEvents) {
    this.#events = events;
  }

  get idle(): boolean {
    const isBetween = this.#state === 'ended' || (this.#state === 'head' && this.#section.empty);
    return isBetween && this.#at === this.#chunk.length && this.#kept.length === 0;
  }

  push(bytes: Buffer): void {
    assert(!this.#running, 'push from within an event');
    assert(!this.#finished, 'push after finish');
    assert(this.#state !== 'released', 'push after release');
    if (this.#state === 'failed' || bytes.length === 0) return;
    this.#kept.push(bytes);
    this.#run();
  }

  finish(): void {
    this.#finished = true;
    if (!this.#running) this.#settle();
  }

  next(): void {
    assert(this.#state === 'ended', 'next before the end of a message');
    this.#state = 'head';
    if (!this.#running) this.#run();
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

  /** Reads the kept pieces until they are used up or a message has ended. */
  #run(): void {
    this.#running = true;
    while (this.#state === 'head' || this.#state === 'body') {
      if (this.#at === this.#chunk.length) {
        const piece = this.#kept.shift();
        this.#chunk = piece ?? NOTHING;
        this.#at = 0;
        if (piece === undefined) break;
      }
      if (this.#state === 'head') this.#readHead();
      else this.#readBody();
    }
    this.#running = false;
    // A piece that is used up must not be held in memory while its exchange runs.
    if (this.#at === this.#chunk.length) {
      this.#chunk = NOTHING;
      this.#at = 0;
    }
    this.#settle();
  }

  #readHead(): void {
    const section = this.#section.read(this.#chunk, this.#at);
    this.#at = this.#section.position;
    if (this.#section.error !== null) {
      this.#fail(this.#section.error);
      return;
    }
    if (section === null) return;
    const head = parseRequestHead(section);
    if (isRefusal(head)) {
      this.#fail(head);
      return;
    }
    this.#body.start(head.framing);
    this.#state = 'body';
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
    this.#state = 'ended';
    this.#events.onEnd(this.#body.trailers);
  }

  /** After FIN: a message that can not become whole any more is refused. */
  #settle(): void {
    if (!this.#finished || this.#at < this.#chunk.length || this.#kept.length > 0) return;
    const isPartial = this.#state === 'body' || (this.#state === 'head' && !this.#section.empty);
    if (isPartial) this.#fail(refuse('truncated', 'the request is incomplete (RFC 9112, 8)'));
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
