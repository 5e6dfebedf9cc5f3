/**
 * A lane as the relay uses it: a request is prepared for the lane, then opened on its transport.
 * Preparing is pure; only `open` touches the network.
 */

import type { HeaderMode } from '../config/types.ts';

export type { HeaderMode };

import type { Place } from '../core/json/cutter.ts';
import type { Fields, Framing, RequestHead } from '../core/message.ts';
import type { Outbound, OutboundEvents } from '../core/ports.ts';

/** What the relay asks of a lane. */
export interface LaneRequest {
  readonly head: RequestHead;
  /** The protocol spoken with the client, which the upstream's follows unless configured. */
  readonly clientProtocol: 'h1' | 'h2';
  /**
   * The whole payload (without chunk framing) where it is held; null where it streams (then nothing
   * of it can be edited).
   */
  readonly body: readonly Buffer[] | null;
  /** The model asked for, where it was read. */
  readonly model: string | null;
  /** Where in the body an edit may be asked for; null where that is not known for sure. */
  readonly places: readonly Place[] | null;
}

/** A request as it will leave on this lane. */
export interface PreparedRequest {
  readonly method: string;
  /** Path and query at the upstream, its path prefix included. */
  readonly target: string;
  /** End-to-end fields in their order, `Host` and framing included, credential included. */
  readonly fields: Fields;
  /** How the body is delimited; on an HTTP/1.1 connection `stream` is sent as chunked. */
  readonly framing: Framing;
  /**
   * The body to send, edited where the lane says so: payload, which the relay writes piece by piece
   * (`data` null) whatever the framing. Null where the relay streams the client's own pieces, and once
   * the relay has taken it over, which may let go of it long before the answer ends.
   */
  body: readonly Buffer[] | null;
  /**
   * `h2` and `prefer-h2` take HTTP/2 where the upstream offers it; the latter not for a body that its
   * flow-control window would hold up.
   */
  readonly protocol: 'h1' | 'h2' | 'prefer-h2';
  /** Which connections may carry it: upstream and a digest of the credential; never a credential. */
  readonly identity: string;
  readonly upgrade: string | null;
  readonly modelSent: string | null;
  /** How the key is presented; null on passthrough lanes. */
  readonly headerMode: HeaderMode | null;
}

export interface Lane {
  readonly name: string;
  readonly tag: string;
  readonly kind: 'passthrough' | 'keyed';
  /** The mode that is in use, changed by `keepHeaderMode`; null on passthrough lanes. */
  readonly headerMode: HeaderMode | null;
  /** Keeps the header mode that worked (contract, rules of a lane, 5). */
  keepHeaderMode(mode: HeaderMode): void;
  /**
   * The request as it leaves on this lane.
   *
   * @param headerMode another mode than the one in use, for the one retry after a 401
   * @throws IsolationError where a field would carry another lane's secret, or, on a keyed lane, a
   *   credential of the client
   */
  prepare(request: LaneRequest, headerMode?: HeaderMode): PreparedRequest;
  open(request: PreparedRequest, events: OutboundEvents): Outbound;
  /** Lets idle connections go at once and open ones when their exchange ends. */
  close(): void;
  stats(): LaneStats;
}

/** Connections to a lane's upstream, of all identities: HTTP/1.1 sockets and HTTP/2 sessions. */
export interface LaneStats {
  readonly idle: number;
  readonly busy: number;
}

/** A connection to an upstream became ready: for metrics and logs. */
export interface ConnectionFact {
  readonly lane: string;
  readonly protocol: 'h1' | 'h2';
  /** The TLS session was resumed. False on plain connections. */
  readonly resumed: boolean;
}

/**
 * A request was refused because it would have carried a credential where it does not belong. The
 * message names the place, never a value.
 */
export class IsolationError extends Error {
  override readonly name = 'IsolationError';
  readonly lane: string;
  /**
   * Where it was found. A hit in the `body` of a keyed request is the user's own text (an agent that
   * read a file with keys): such a request may safely take the default lane unchanged.
   */
  readonly part: 'head' | 'body';
  constructor(lane: string, what: string, part: 'head' | 'body' = 'head') {
    super(`${what} must not travel on lane ${lane}`);
    this.lane = lane;
    this.part = part;
  }
}

/** A keyed lane was given a request whose body it can not edit for sure: it takes the default lane. */
export class UneditableError extends Error {
  override readonly name = 'UneditableError';
  readonly lane: string;
  constructor(lane: string, why: string) {
    super(`lane ${lane} can not edit the request: ${why}`);
    this.lane = lane;
  }
}
