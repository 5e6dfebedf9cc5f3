/**
 * What the parts of a drill agree on: a request and what came of it, the client that carries it, and
 * what a drill is told of the proxy. How a proxy is reached, started and read is the caller's: the
 * room is handed functions.
 */

import type { StreamEnd } from './stream-end.ts';

/** A lane of the contract that a drill judges by. */
export type DrillLane = 'anthropic' | 'zai';

/** The kinds of answers that are asked for. */
export type Shape = 'short' | 'medium' | 'long' | 'tool' | 'once';

/** One request of a drill. */
export interface DrillRequest {
  /** Stands in the body, so that what an upstream received can be told apart. */
  readonly tag: string;
  readonly model: string;
  /** Where it belongs. */
  readonly lane: DrillLane;
  readonly shape: Shape;
  readonly stream: boolean;
  readonly prompt: string;
  readonly maxTokens: number;
}

/** How an exchange failed on the client's side; an error answer that came whole is no failure. */
export type FailureKind =
  | 'connect'
  | 'tls'
  | 'reset'
  | 'cut'
  | 'protocol'
  | 'stall'
  | 'abandoned'
  /** An agent showed another text than it was sent. */
  | 'altered'
  /** An agent's process ended within its turn. */
  | 'died'
  /** An agent gave its turn up, and not for an error answer. */
  | 'gave_up';

/** What the client had of one exchange; of an agent, one turn. */
export interface Heard {
  /** 0 where no head came. */
  readonly status: number;
  /** The answer is an error of the proxy's own; its code. */
  readonly own: string | null;
  /** The upstream's id of the request, where its answer has one. */
  readonly requestId: string | null;
  /** Payload bytes; of an agent those of the text that it showed. */
  readonly bytes: number;
  /** Hex SHA-256 of the payload; null of an agent, which shows no payload. */
  readonly sha256: string | null;
  /** The answer came to the end that its framing promises. */
  readonly ended: boolean;
  /**
   * A stream's last event was `message_stop`; an answer in one piece was a whole JSON object; an agent
   * showed a text.
   */
  readonly closed: boolean;
  /** What an event stream said at its end, whole or cut; null where the answer was none. */
  readonly stream: StreamEnd | null;
  /** From the start of the request to the head of the answer, ms; null where none came. */
  readonly ttfbMs: number | null;
  /** To the last byte, ms. */
  readonly latencyMs: number;
  readonly failure: FailureKind | null;
  /** The request was written to a connection that stood, so that the proxy must have a record. */
  readonly sent: boolean;
}

/** One client of a drill: one exchange at a time. */
export interface DrillClient {
  ask(request: DrillRequest): Promise<Heard>;
  /** Cuts what is under way, which ends as `abandoned`. */
  close(): Promise<void>;
}

/** Where and how clients connect. */
export interface Access {
  readonly url: URL;
  /** `connect`: CONNECT and TLS, as agents do it; `gateway`: plain requests to the proxy itself. */
  readonly via: 'connect' | 'gateway';
  /** PEM of the proxy's trust bundle; null with `gateway`. */
  readonly ca: string | null;
  /** The client's own credential, as a field. */
  readonly credential: readonly [name: string, value: string];
  /** Marks the records of this drill in the ledger. */
  readonly session: string;
  /** Silence after which an exchange is given up, ms. */
  readonly stallMs: number;
}

/** What a record of the ledger tells a drill. */
export interface DrillRecord {
  readonly lane: string;
  readonly decision: string;
  readonly model: string | null;
  readonly op: 'stream' | 'nonstream';
  readonly status: number | null;
  readonly sse: string | null;
  readonly err_type: string | null;
  readonly intact: boolean;
  readonly retry: boolean;
  readonly bytes_down: number;
  readonly request_id: string | null;
}

/** One look at the proxy. */
export interface Sample {
  /** Seconds since the drill began. */
  readonly s: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Sockets on either side that the proxy says it holds. */
  readonly sockets: number;
  /** Open file descriptors; null where the system does not tell. */
  readonly handles: number | null;
}

/** What a drill may ask of the proxy it drives. */
export interface ProxyView {
  /** Null while the proxy does not answer. */
  look(): Promise<Omit<Sample, 's'> | null>;
  /**
   * The records of this drill, once they are all written; called once, at the end. Null where there
   * is no ledger to read.
   *
   * @param expected how many there should be
   */
  records(expected: number): Promise<AsyncIterable<DrillRecord> | null>;
}
