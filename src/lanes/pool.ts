/**
 * All connections of a lane, by identity: no connection is shared between two credentials (invariant 1
 * of docs/architecture.md), so each identity has its own pools and its own TLS ticket.
 */
import assert from 'node:assert/strict';
import { POOL_IDENTITIES_MAX, POOL_IDLE_MS_MIN } from '../core/limits.ts';
import type { Outbound, OutboundEvents } from '../core/ports.ts';
import { Attempt } from './attempt.ts';
import { dial, Ticket } from './connect.ts';
import { type DialFailure, errorDetail } from './failure.ts';
import { type EncodedRequest, encodeRequest } from './h1-exchange.ts';
import { H1Pool } from './h1-pool.ts';
import { H2Pool } from './h2-pool.ts';
import { bodyBytesOf, INITIAL_WINDOW_BYTES } from './h2-window.ts';
import type { LaneStats, PreparedRequest } from './lane.ts';
import type { Upstream } from './upstream.ts';

export interface Pool {
  open(request: PreparedRequest, events: OutboundEvents): Outbound;
  /** Drops idle connections at once, others when their exchange ends. */
  close(): void;
  stats(): LaneStats;
}

interface Connections {
  readonly ticket: Ticket;
  readonly h1: H1Pool;
  readonly h2: H2Pool;
}

/** Makes the pool of an upstream. */
export function createPool(upstream: Upstream): Pool {
  const identities = new Map<string, Connections>();
  let closed = false;
  upstream.wake.start(() => {
    for (const { h1, h2 } of identities.values()) {
      h1.dropIdle();
      h2.renew();
    }
  });

  let latest = '';

  function connectionsOf(identity: string): Connections {
    const known = identities.get(identity);
    if (known !== undefined && identity === latest) return known;
    latest = identity;
    // Taken out and put back: the map stays in the order of last use.
    if (known !== undefined) identities.delete(identity);
    const connections = known ?? createConnections(upstream, closed);
    identities.set(identity, connections);
    if (identities.size > POOL_IDENTITIES_MAX) forgetUnused(identities);
    return connections;
  }

  return {
    open(prepared, events) {
      assert(prepared.identity.startsWith(`${upstream.lane}/`), 'prepared for another lane');
      upstream.wake.look();
      const connections = connectionsOf(prepared.identity);
      let request: EncodedRequest;
      try {
        request = encodeRequest(prepared);
      } catch (error) {
        return refused(prepared, events, errorDetail(error));
      }
      return openOn(upstream, connections, request, events);
    },
    close() {
      closed = true;
      upstream.wake.stop();
      for (const { h1, h2 } of identities.values()) {
        h1.close();
        h2.close();
      }
    },
    stats() {
      let idle = 0;
      let busy = 0;
      for (const { h1, h2 } of identities.values()) {
        for (const stats of [h1.stats(), h2.stats()]) {
          idle += stats.idle;
          busy += stats.busy;
        }
      }
      return { idle, busy };
    },
  };
}

function createConnections(upstream: Upstream, closed: boolean): Connections {
  const ticket = new Ticket();
  const h1 = new H1Pool(upstream);
  const h2 = new H2Pool(upstream, ticket, {
    adopt: (socket, attempt) =>
      attempt.assign((request, events) => h1.start(socket, request, events)),
    open: (attempt) => dialH1(upstream, h1, ticket, attempt, (failure) => attempt.fail(failure)),
  });
  if (closed) {
    h1.close();
    h2.close();
  }
  return { ticket, h1, h2 };
}

/** Drops the longest unused identities that hold no connection. */
function forgetUnused(identities: Map<string, Connections>): void {
  for (const [identity, { h1, h2 }] of identities) {
    if (identities.size <= POOL_IDENTITIES_MAX) return;
    const stats = [h1.stats(), h2.stats()];
    if (stats.every(({ idle, busy }) => idle + busy === 0)) identities.delete(identity);
  }
}

function openOn(
  upstream: Upstream,
  connections: Connections,
  request: EncodedRequest,
  events: OutboundEvents,
): Outbound {
  const { h1, h2 } = connections;
  const bodyBytes = bodyBytesOf(request.prepared);
  const mayBeH2 = canBeH2(upstream, request.prepared);
  const byH2 = mayBeH2 && !isBetterH1(upstream, h2, request.prepared, bodyBytes);
  const hasRested = (byH2 ? h2.restedMs(bodyBytes) : h1.restedMs) >= POOL_IDLE_MS_MIN;
  if (hasRested) upstream.wake.lookAround();
  if (!hasRested) {
    const exchange = byH2
      ? h2.available(bodyBytes)?.start(request.prepared, events)
      : h1.take()?.start(request, events);
    if (exchange !== undefined) return exchange;
  }
  const attempt = new Attempt(request, events);
  const place = (): void => {
    if (byH2) h2.wait(attempt);
    else placeH1(upstream, connections, attempt, mayBeH2);
  };
  if (hasRested) afterNews(attempt, place);
  else place();
  return attempt;
}

/**
 * Lets the event loop hear of FIN and RST that the system has already, before a connection is used
 * that the upstream may have closed while it rested.
 */
function afterNews(attempt: Attempt, place: () => void): void {
  // The turn under way may have fetched its events before the news came.
  let turn = setImmediate(() => {
    turn = setImmediate(place);
  });
  attempt.onSettled(() => clearImmediate(turn));
}

/** @param mayBeH2 HTTP/2 would do as well, where the upstream speaks nothing else */
function placeH1(
  upstream: Upstream,
  { h1, h2, ticket }: Connections,
  attempt: Attempt,
  mayBeH2: boolean,
): void {
  const connection = h1.take();
  if (connection !== null) {
    attempt.assign((request, events) => connection.start(request, events));
    return;
  }
  dialH1(upstream, h1, ticket, attempt, (failure) => {
    if (!mayBeH2 || failure.code !== 'tls') {
      attempt.fail(failure);
      return;
    }
    // It may speak nothing but HTTP/2. Nothing was sent; if it is not that, the next dial says so.
    upstream.h2OnlyUntil = performance.now() + upstream.limits.alpnMemoryMs;
    h2.wait(attempt);
  });
}

function canBeH2(upstream: Upstream, { protocol, upgrade }: PreparedRequest): boolean {
  return (
    protocol !== 'h1' &&
    upgrade === null &&
    upstream.config.scheme === 'https' &&
    performance.now() >= upstream.h1OnlyUntil
  );
}

/** Where HTTP/2 is a preference: a body beyond its window takes four times as long by it (measured). */
function isBetterH1(
  upstream: Upstream,
  h2: H2Pool,
  { protocol }: PreparedRequest,
  bodyBytes: number,
): boolean {
  return (
    protocol === 'prefer-h2' &&
    bodyBytes > INITIAL_WINDOW_BYTES &&
    bodyBytes > h2.letsOut &&
    performance.now() >= upstream.h2OnlyUntil
  );
}

function dialH1(
  upstream: Upstream,
  h1: H1Pool,
  ticket: Ticket,
  attempt: Attempt,
  onFail: (failure: DialFailure) => void,
): void {
  const cancel = dial(upstream, false, ticket, {
    onReady: ({ socket }) => attempt.assign((request, events) => h1.start(socket, request, events)),
    onFail,
  });
  attempt.onSettled(cancel);
}

/** A head that can not be written fails like any other request: by an event, not by a throw. */
function refused(prepared: PreparedRequest, events: OutboundEvents, detail: string): Outbound {
  const empty: EncodedRequest = { prepared, head: Buffer.alloc(0) };
  const attempt = new Attempt(empty, events);
  process.nextTick(() => attempt.fail({ code: 'protocol', phase: 'connect', detail }));
  return attempt;
}
