/**
 * The two ports of the relay: what the edge shows it of a client, and what a lane's transport shows
 * it of an upstream. Nothing here knows of sockets, so the simulator can stand on either side.
 *
 * Rules that both sides keep:
 * - Every `Inbound` ends with exactly one `onClose`; every `Outbound` with exactly one of `onEnd`,
 *   `onFail` or `onUpgrade`, or with none after `abort()`. No event follows the last one.
 * - `write` returns false when the sink is full; `onDrain` follows once it is not. A caller that
 *   goes on writing is the bug that invariant 5 (backpressure) exists to prevent.
 * - `pause`/`resume` are idempotent; what was already read when `pause` came may still be delivered.
 * - No event is delivered from within the call that opened the port (`read`, `open`); events may be
 *   delivered from within `resume`, `write` and `end`.
 */
import type { Fields, RequestHead, ResponseHead } from './message.ts';

/** How the request reached us; decides what a client was told it is talking to. */
export type Via =
  /** Inside a CONNECT tunnel to an intercepted host, TLS terminated here. */
  | { readonly kind: 'intercept'; readonly host: string }
  /** Plain HTTP to our own port (`ANTHROPIC_BASE_URL`). */
  | { readonly kind: 'gateway' };

/** How the delivery of an answer ended, as the edge saw it. */
export interface Delivery {
  /**
   * - `complete`: the answer was ended properly and its last byte was accepted by the system;
   * - `cut`: the relay cut it, and the client can tell;
   * - `gone`: the client went away first.
   */
  readonly how: 'complete' | 'cut' | 'gone';
  /** Payload bytes of the answer that the system accepted for the client. */
  readonly bytes: number;
  /** CRC-32 over the payload bytes written, in order. */
  readonly crc: number;
  /** Status of the edge's own answer to a request that broke off or broke the grammar; then `gone`. */
  readonly refused?: number;
}

/** What the relay hears of the client. */
export interface InboundEvents {
  onBody(wire: Buffer, data: readonly Buffer[] | null): void;
  /** The request is complete. */
  onEnd(trailers: Fields): void;
  /** The answer's sink has room again. */
  onDrain(): void;
  /** The exchange is over for the client's side. Always the last event, exactly once. */
  onClose(delivery: Delivery): void;
}

/** A two-way stream of bytes after a 101 (RFC 9110 section 7.8). */
export interface ByteStream {
  write(bytes: Buffer): boolean;
  /** Half-closes our direction. */
  end(): void;
  destroy(): void;
  pause(): void;
  resume(): void;
  /** Starts delivery; called once. */
  read(events: ByteStreamEvents): void;
}

export interface ByteStreamEvents {
  onBytes(bytes: Buffer): void;
  onEnd(): void;
  onDrain(): void;
  /** Fully closed or failed; last event, exactly once. */
  onClose(): void;
}

/** One request of a client and the way to answer it. */
export interface Inbound {
  readonly head: RequestHead;
  readonly via: Via;
  /** The protocol spoken with the client: upstream follows it unless configured otherwise. */
  readonly protocol: 'h1' | 'h2';
  /** Starts the flow of the request body. Called exactly once, before anything else. */
  read(events: InboundEvents): void;
  pause(): void;
  resume(): void;
  /**
   * Passes an interim answer on (1xx but 101). Dropped where the client's version has none. False as with
   * `write`: an upstream may send any number of them.
   */
  interim(head: ResponseHead): boolean;
  /** Sends the head of the answer: at most once. Hop-by-hop fields are the edge's to replace. */
  respond(head: ResponseHead): void;
  write(wire: Buffer, data: readonly Buffer[] | null): boolean;
  /** Ends the answer properly. Only after `respond`. */
  end(trailers: Fields): void;
  /** Ends the exchange so that the client can tell that it is not whole: FIN, never RST, no last chunk. */
  cut(): void;
  /** Answers 101 and hands over the connection. HTTP/1.1 only; instead of `respond`. */
  upgrade(head: ResponseHead): ByteStream;
}

/** Where an attempt stood when it failed. */
export type AttemptPhase = 'connect' | 'tls' | 'send' | 'head' | 'body';

/** Why an attempt failed. Codes are stable; `detail` is for people and never holds a secret. */
export interface UpstreamFailure {
  readonly code:
    | 'dns'
    | 'refused'
    | 'unreachable'
    /** This process may open no further file or socket. */
    | 'no_descriptor'
    | 'certificate'
    | 'tls'
    | 'reset'
    /** The upstream closed before its answer was complete. */
    | 'closed'
    | 'connect_timeout'
    | 'head_timeout'
    | 'idle_timeout'
    /** The upstream's bytes are no valid HTTP. */
    | 'protocol'
    /** HTTP/2 REFUSED_STREAM, or GOAWAY below our stream: not processed, by the protocol's word. */
    | 'not_processed';
  readonly phase: AttemptPhase;
  readonly detail: string;
  /**
   * It looks like the race with the upstream's idle timer (`isIdleRace`): a connection that had rested
   * broke at once, before any byte of an answer.
   */
  readonly raced: boolean;
  /** At least one byte of the request may have left. */
  readonly sent: boolean;
  /** At least one byte of the answer (interim heads too) had come. */
  readonly answered: boolean;
}

/** What the relay hears of an upstream. */
export interface OutboundEvents {
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  onBody(wire: Buffer, data: readonly Buffer[] | null): void;
  onEnd(trailers: Fields): void;
  onDrain(): void;
  onFail(failure: UpstreamFailure): void;
  /** The upstream answered 101. */
  onUpgrade(head: ResponseHead, stream: ByteStream): void;
}

/** One attempt of an exchange at an upstream. */
export interface Outbound {
  /** The upstream protocol, known at `onHead` at the latest; null before a connection is chosen. */
  readonly protocol: 'h1' | 'h2' | null;
  write(wire: Buffer, data: readonly Buffer[] | null): boolean;
  end(trailers: Fields): void;
  pause(): void;
  resume(): void;
  /** Lets go at once: the upstream sees a reset stream or a closed connection. No event follows. */
  abort(): void;
}

/** Time, as the relay sees it; the simulator brings its own. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Unix milliseconds. */
  wall(): number;
  /** Calls `run` once after `ms`, unless cancelled by the returned function. */
  after(ms: number, run: () => void): () => void;
}
