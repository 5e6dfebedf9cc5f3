/**
 * A plain forward proxy for absolute-form requests to other hosts (RFC 9112 section 3.2.2): one
 * connection for each request, both bodies streamed under backpressure, nothing recorded, nothing
 * retried. An answer that breaks off breaks off for the client too.
 */
import type net from 'node:net';
import type { Authority } from '../core/authority.ts';
import { type ErrorCode, localAnswer } from '../core/errors.ts';
import { endToEnd } from '../core/fields.ts';
import { createResponseParser } from '../core/http1/response-parser.ts';
import type { CodecError } from '../core/http1/types.ts';
import { encodeRequestHead } from '../core/http1/write.ts';
import { UPSTREAM_IDLE_MS_MAX } from '../core/limits.ts';
import type { ResponseHead } from '../core/message.ts';
import type { Inbound, InboundEvents } from '../core/ports.ts';
import type { ConnectionContext } from './context.ts';
import { dial } from './dial.ts';

/** Takes the request, whose target is in origin form already. HTTP/1 only. */
export function forward(inbound: Inbound, target: Authority, context: ConnectionContext): void {
  const forwarding = new Forwarding(inbound);
  inbound.read(forwarding);
  // Nothing of the body is read while nobody can take it.
  inbound.pause();
  forwarding.cancelDial = dial(target, context.settings, {
    onConnect: (socket) => forwarding.connected(socket),
    onFail: (code, detail) => forwarding.fail(code, detail),
  });
}

class Forwarding implements InboundEvents {
  cancelDial: () => void = () => undefined;
  readonly #inbound: Inbound;
  readonly #parser = createResponseParser({
    onInterim: (head) => {
      if (!this.#inbound.interim(head)) this.#socket?.pause();
    },
    onHead: (head) => this.#answer(head),
    onBody: (wire, data) => {
      if (!this.#isOver && !this.#inbound.write(wire, data)) this.#socket?.pause();
    },
    onEnd: (trailers) => {
      if (this.#isOver) return;
      this.#finish();
      this.#inbound.end(trailers);
    },
    onError: (error) => this.fail(failureOf(error)),
  });
  #socket: net.Socket | null = null;
  /** Read with the head, before there was a connection: no more than one read of the client's. */
  readonly #early: Buffer[] = [];
  #isAnswering = false;
  #isOver = false;

  constructor(inbound: Inbound) {
    this.#inbound = inbound;
  }

  /* ---- the client ---- */

  onBody(wire: Buffer): void {
    const socket = this.#socket;
    if (socket === null) this.#early.push(wire);
    else if (socket.writable && !socket.write(wire)) this.#inbound.pause();
  }

  /** The framing says it to the origin; its answer still comes on the same connection. */
  onEnd(): void {}

  onDrain(): void {
    this.#socket?.resume();
  }

  onClose(): void {
    this.#isOver = true;
    this.cancelDial();
    this.#socket?.destroy();
  }

  /* ---- the origin ---- */

  connected(socket: net.Socket): void {
    if (this.#isOver) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.setTimeout(UPSTREAM_IDLE_MS_MAX, () => this.fail('upstream_idle_timeout'));
    socket.on('data', (bytes: Buffer) => this.#parser.push(bytes));
    socket.on('end', () => this.#parser.finish());
    socket.on('drain', () => this.#inbound.resume());
    socket.on('close', () => this.fail('upstream_reset'));
    const { method, target, fields } = this.#inbound.head;
    this.#parser.expect(method);
    socket.cork();
    socket.write(encodeRequestHead(method, target, [...endToEnd(fields), ['Connection', 'close']]));
    for (const bytes of this.#early) socket.write(bytes);
    socket.uncork();
    socket.resume();
    this.#inbound.resume();
  }

  /** Ends the exchange as its state allows: by an error before the answer, by a cut within it. */
  fail(code: ErrorCode, detail = ''): void {
    if (this.#isOver) return;
    this.#finish();
    if (this.#isAnswering) {
      this.#inbound.cut();
      return;
    }
    const { head, body } = localAnswer(code, null, detail);
    this.#inbound.respond(head);
    this.#inbound.write(body, null);
    this.#inbound.end([]);
  }

  #answer(head: ResponseHead): void {
    if (this.#isOver) return;
    if (head.status === 101) {
      // Upgrade was not passed on, so nobody may switch.
      this.fail('upstream_protocol');
      return;
    }
    this.#isAnswering = true;
    this.#inbound.respond(head);
  }

  /** Lets the origin go; what the client still sends is read and thrown away by its connection. */
  #finish(): void {
    this.#isOver = true;
    this.#inbound.resume();
    this.#socket?.destroy();
  }
}

function failureOf(error: CodecError): ErrorCode {
  return error.code === 'truncated' ? 'upstream_closed' : 'upstream_protocol';
}
