/**
 * One request of an HTTP/1 client as the relay sees it, and the way its answer takes.
 *
 * The connection (`h1-connection.ts`) reads and decides what is read next; this writes the answer and
 * knows how it ended. Endings, in the order of how good they are:
 *
 * - `complete`: the last byte was accepted by the system;
 * - `cut`: FIN without the last chunk, or before the declared length. An answer that only the close
 *   delimits would look whole after FIN, so there, and only there, the connection is reset;
 * - `gone`: the socket closed or failed first, or the client broke its own request.
 */
import assert from 'node:assert';
import { crc32 } from 'node:zlib';
import { type ErrorCode, errorRow } from '../core/errors.ts';
import { endToEnd } from '../core/fields.ts';
import { encodeChunk, encodeLastChunk, encodeResponseHead } from '../core/http1/write.ts';
import {
  type Fields,
  payloadLength,
  type RequestHead,
  type ResponseHead,
} from '../core/message.ts';
import type { ByteStream, Delivery, Inbound, InboundEvents, Via } from '../core/ports.ts';
import type { Outbox } from '../sockets/outbox.ts';
import { type AnswerPlan, encodeAnswer, planAnswer, reasonOf } from './answer-plan.ts';

/** What an exchange asks of its connection. */
export interface ExchangeLink {
  readonly outbox: Outbox;
  /** No request is read after this exchange. */
  isLast: boolean;
  pauseReading(): void;
  resumeReading(): void;
  /** The answer is complete and was accepted. */
  completed(): void;
  /** Sends what is queued, then FIN; calls back once that was accepted. */
  finishCut(onFlushed: () => void): void;
  /** Sends what is queued, then RST. */
  resetCut(): void;
  /** Answers by a local error and closes. */
  refuse(code: ErrorCode, detail: string): void;
  /** Gives the connection away as a stream of bytes. */
  becomeStream(onClose: (isWhole: boolean) => void): ByteStream;
}

export class Http1Exchange implements Inbound {
  readonly head: RequestHead;
  readonly via: Via;
  readonly protocol = 'h1' as const;
  readonly #link: ExchangeLink;
  #events: InboundEvents | null = null;
  #plan: AnswerPlan | null = null;
  #isPaused = false;
  #isRequestEnded = false;
  #isEnded = false;
  #isCut = false;
  #isOver = false;
  #bytes = 0;
  #crc = 0;

  constructor(head: RequestHead, via: Via, link: ExchangeLink) {
    this.head = head;
    this.via = via;
    this.#link = link;
  }

  /* ---- the relay's side ---- */

  read(events: InboundEvents): void {
    assert(this.#events === null, 'read is called once');
    this.#events = events;
  }

  pause(): void {
    // With the request read, reading goes on: it is how a client that leaves is noticed.
    if (this.#isRequestEnded || this.#isOver || this.#isPaused) return;
    this.#isPaused = true;
    this.#link.pauseReading();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isOver) this.#link.resumeReading();
  }

  interim(head: ResponseHead): boolean {
    assert(head.status >= 100 && head.status < 200 && head.status !== 101, 'an interim status');
    // RFC 9110 section 15.2: HTTP/1.0 has none.
    if (this.#isOver || this.#plan !== null || this.head.version === '1.0') return true;
    const fields = endToEnd(head.fields);
    const { outbox } = this.#link;
    outbox.push(encodeResponseHead(head.status, reasonOf(head), fields));
    return outbox.hasRoom();
  }

  respond(head: ResponseHead): void {
    assert(this.#plan === null, 'respond is called once');
    const plan = planAnswer(this.head, head);
    this.#plan = plan;
    if (this.#isOver) return;
    const link = this.#link;
    if (plan.endsByClose || !this.head.keepAlive || this.#isRequestUnread()) link.isLast = true;
    link.outbox.push(encodeAnswer(this.head, head, plan, link.isLast));
  }

  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    const plan = this.#plan;
    assert(plan !== null && !this.#isEnded, 'write between respond and end');
    if (this.#isOver || this.#isCut || plan.mode === 'none') return true;
    const { outbox } = this.#link;
    if (plan.mode === 'wire') outbox.push(wire);
    else if (plan.mode === 'chunk')
      for (const piece of encodeChunk(data ?? [wire])) outbox.push(piece);
    else if (data === null) outbox.push(wire);
    else for (const slice of data) outbox.push(slice);
    this.#account(wire, data);
    return outbox.hasRoom();
  }

  end(trailers: Fields): void {
    const plan = this.#plan;
    assert(plan !== null && !this.#isEnded, 'end once, after respond');
    this.#isEnded = true;
    if (this.#isOver || this.#isCut) return;
    if (plan.length !== null && plan.length !== this.#bytes) {
      // Whoever was to send this many bytes did not: an end here would be taken for a whole answer.
      this.cut();
      return;
    }
    const { outbox } = this.#link;
    if (plan.mode === 'chunk') outbox.push(encodeLastChunk(trailers));
    outbox.whenFlushed(this.#complete);
  }

  cut(): void {
    if (this.#isOver || this.#isCut) return;
    this.#isCut = true;
    this.#link.isLast = true;
    if (this.#plan?.endsByClose === true) this.#link.resetCut();
    else this.#link.finishCut(() => this.#close('cut'));
  }

  upgrade(head: ResponseHead): ByteStream {
    assert(this.#plan === null && head.status === 101, 'upgrade instead of respond');
    const link = this.#link;
    const protocol = head.fields.filter(([name]) => name.toLowerCase() === 'upgrade');
    const fields = [...endToEnd(head.fields), ...protocol, ['Connection', 'Upgrade'] as const];
    if (!this.#isOver) link.outbox.push(encodeResponseHead(101, reasonOf(head), fields));
    const stream = link.becomeStream((isWhole) => this.#close(isWhole ? 'complete' : 'gone'));
    return {
      ...stream,
      write: (bytes) => {
        this.#account(bytes, null);
        return stream.write(bytes);
      },
    };
  }

  /* ---- the connection's side ---- */

  /** True once the head of the answer is on its way. */
  get isAnswering(): boolean {
    return this.#plan !== null;
  }

  /** True while the close of the connection is what ends the answer. */
  get endsByClose(): boolean {
    return this.#plan?.endsByClose === true;
  }

  /** True while the relay wants no more of the request. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** True once the whole answer is on its way. */
  get isAnswered(): boolean {
    return this.#isEnded;
  }

  get isRequestEnded(): boolean {
    return this.#isRequestEnded;
  }

  get isReading(): boolean {
    return this.#events !== null;
  }

  requestBody(wire: Buffer, data: readonly Buffer[] | null): void {
    if (!this.#isOver) this.#events?.onBody(wire, data);
  }

  requestEnd(trailers: Fields): void {
    this.resume();
    this.#isRequestEnded = true;
    if (!this.#isOver) this.#events?.onEnd(trailers);
  }

  drained(): void {
    if (!this.#isOver && !this.#isEnded && !this.#isCut) this.#events?.onDrain();
  }

  /** The client's own request is broken: it is told so where its answer has not begun. */
  requestFailed(code: ErrorCode, detail: string): void {
    if (this.#isOver || this.#isCut) return;
    this.#link.isLast = true;
    if (this.isAnswering) {
      this.cut();
      return;
    }
    this.#link.refuse(code, detail);
    this.#close('gone', errorRow(code).status);
  }

  socketClosed(): void {
    this.#close(this.#isCut ? 'cut' : 'gone');
  }

  readonly #complete = (): void => {
    if (this.#isOver || this.#isCut) return;
    this.#close('complete');
    this.#link.completed();
  };

  #close(how: Delivery['how'], refused?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // What is still queued was not accepted. Framing is counted as payload here: a lower bound.
    const pending = how === 'complete' ? 0 : this.#link.outbox.pendingBytes;
    const bytes = Math.max(0, this.#bytes - pending);
    const delivery = { how, bytes, crc: this.#crc };
    this.#events?.onClose(refused === undefined ? delivery : { ...delivery, refused });
  }

  /** There is more of the request to come, which nobody may want any more. */
  #isRequestUnread(): boolean {
    const { framing } = this.head;
    const isEmpty = framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);
    return !this.#isRequestEnded && !isEmpty;
  }

  #account(wire: Buffer, data: readonly Buffer[] | null): void {
    this.#bytes += payloadLength(wire, data);
    if (data === null) this.#crc = crc32(wire, this.#crc);
    else for (const slice of data) this.#crc = crc32(slice, this.#crc);
  }
}
