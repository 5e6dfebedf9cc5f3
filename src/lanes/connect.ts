/**
 * One new connection to an upstream: name, TCP, TLS, each with its own deadline.
 *
 * The certificate is always verified: against a name by SNI, against an address (which RFC 6066
 * section 3 keeps out of SNI) by its IP entries. Sockets have their error listener before anything
 * can happen to them, and half-open so that a FIN is ours to judge.
 */
import assert from 'node:assert/strict';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { TCP_KEEPALIVE_MS, TLS_VERIFIED_MS_MAX } from '../core/limits.ts';
import { connectFailure, type DialFailure, tlsFailure } from './failure.ts';
import type { Upstream } from './upstream.ts';

/** A connection that is ready for its first request. */
export interface Dialled {
  readonly socket: Socket;
  readonly protocol: 'h1' | 'h2';
}

/**
 * The last TLS session of one upstream and identity, for resumption. A resumed session shows no certificate,
 * so it counts for a while only: one that has expired since, or is no longer trusted, must be noticed.
 */
export class Ticket {
  #session: Buffer | null = null;
  /** When a certificate was verified, Unix ms: a machine that slept, or whose clock was set, looks again. */
  #verifiedMs = 0;

  get session(): Buffer | null {
    const age = Date.now() - this.#verifiedMs;
    return age >= 0 && age < TLS_VERIFIED_MS_MAX ? this.#session : null;
  }

  keep(session: Buffer): void {
    this.#session = session;
  }

  forget(): void {
    this.#session = null;
  }

  /** A certificate was shown, and is right. */
  verified(): void {
    this.#verifiedMs = Date.now();
  }
}

export interface DialEvents {
  onReady(connection: Dialled): void;
  onFail(failure: DialFailure): void;
}

const ALPN_H1 = ['http/1.1'];
const ALPN_H2 = ['h2', 'http/1.1'];

/**
 * Connects to the upstream. Exactly one event follows, never from within this call.
 *
 * @param offerH2 offer HTTP/2 beside HTTP/1.1; what was negotiated is in the result
 * @returns cancels: the socket is destroyed at once and no event follows
 */
export function dial(
  upstream: Upstream,
  offerH2: boolean,
  ticket: Ticket,
  events: DialEvents,
): () => void {
  const { host, port, scheme } = upstream.config;
  const { connectMs, tlsMs } = upstream.timeouts;
  let over = false;
  let secure: TLSSocket | null = null;
  const tcp = connectTcp({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
    autoSelectFamily: true,
  });
  tcp.on('error', (error) => {
    fail(secure === null ? connectFailure(error) : tlsFailure(error, false));
  });
  let deadline = within(connectMs, {
    code: 'connect_timeout',
    phase: 'connect',
    detail: `no connection in ${connectMs} ms`,
  });

  /** The time begins anew where the machine slept: what is waited for may be here, unread. */
  function within(ms: number, failure: DialFailure): NodeJS.Timeout {
    const timer = setTimeout(() => {
      if (upstream.wake.justWoke()) timer.refresh();
      else fail(failure);
    }, ms);
    return timer;
  }

  function settle(): boolean {
    if (over) return false;
    over = true;
    clearTimeout(deadline);
    return true;
  }
  function fail(failure: DialFailure): void {
    if (!settle()) return;
    (secure ?? tcp).destroy();
    tcp.destroy();
    events.onFail(failure);
  }
  function ready(socket: Socket, protocol: 'h1' | 'h2', resumed: boolean): void {
    if (!settle()) return;
    upstream.onSession({ lane: upstream.lane, protocol, resumed });
    events.onReady({ socket, protocol });
  }

  tcp.once('connect', () => {
    if (over) return;
    if (scheme === 'http') {
      ready(tcp, 'h1', false);
      return;
    }
    clearTimeout(deadline);
    deadline = within(tlsMs, {
      code: 'connect_timeout',
      phase: 'tls',
      detail: `no TLS session in ${tlsMs} ms`,
    });
    secure = handshake(upstream, tcp, offerH2, ticket, ready, fail);
  });

  return () => {
    if (!settle()) return;
    secure?.destroy();
    tcp.destroy();
  };
}

function handshake(
  upstream: Upstream,
  tcp: Socket,
  offerH2: boolean,
  ticket: Ticket,
  ready: (socket: Socket, protocol: 'h1' | 'h2', resumed: boolean) => void,
  fail: (failure: DialFailure) => void,
): TLSSocket {
  const { host } = upstream.config;
  const { session } = ticket;
  const socket = connectTls({
    socket: tcp,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    secureContext: upstream.secureContext(),
    ALPNProtocols: offerH2 ? ALPN_H2 : ALPN_H1,
    rejectUnauthorized: true,
    ...(session === null ? {} : { session }),
  });
  // A ticket counts only once its session was verified; before that it waits here.
  let early: Buffer | null = null;
  let verified = false;
  socket.on('error', (error) => {
    // A session that spoilt this handshake must not spoil the next.
    if (!verified) ticket.forget();
    const failure = tlsFailure(error, Boolean(socket.authorizationError));
    fail({ ...failure, detail: `${host}: ${failure.detail}` });
  });
  socket.once('close', () => {
    fail({ code: 'closed', phase: 'tls', detail: 'closed during the TLS handshake' });
  });
  socket.on('session', (fresh) => {
    if (verified) ticket.keep(fresh);
    else early = fresh;
  });
  socket.once('secureConnect', () => {
    assert(socket.authorized, 'an upstream certificate is always verified');
    verified = true;
    if (!socket.isSessionReused()) ticket.verified();
    if (early !== null) ticket.keep(early);
    ready(socket, socket.alpnProtocol === 'h2' ? 'h2' : 'h1', socket.isSessionReused());
  });
  return socket;
}
