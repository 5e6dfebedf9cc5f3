/**
 * The HTTP/2 sessions of one upstream and identity, and the attempts that wait for a place on one.
 *
 * One dial at a time serves all that wait. Where the upstream chooses HTTP/1.1 in the handshake, the
 * first that waits gets that socket and the others take the HTTP/1.1 way; it is remembered for a while.
 */
import type { Socket } from 'node:net';
import type { Attempt } from './attempt.ts';
import { dial, type Ticket } from './connect.ts';
import type { DialFailure } from './failure.ts';
import { type H2Owner, H2Session } from './h2-session.ts';
import type { LaneStats } from './lane.ts';
import type { Upstream } from './upstream.ts';

/** The way of HTTP/1.1, for an upstream that speaks no HTTP/2. */
export interface H1Way {
  /** The attempt takes this socket. */
  adopt(socket: Socket, attempt: Attempt): void;
  /** The attempt finds a connection of its own. */
  open(attempt: Attempt): void;
}

export class H2Pool implements H2Owner {
  readonly #upstream: Upstream;
  readonly #ticket: Ticket;
  readonly #h1: H1Way;
  /** Those that take streams; newest last. */
  readonly #sessions = new Set<H2Session>();
  /** Those that do not, with streams still open. */
  readonly #draining = new Set<H2Session>();
  readonly #waiting = new Set<Attempt>();
  #cancelDial: (() => void) | null = null;
  #closed = false;

  constructor(upstream: Upstream, ticket: Ticket, h1: H1Way) {
    this.#upstream = upstream;
    this.#ticket = ticket;
    this.#h1 = h1;
  }

  stats(): LaneStats {
    let idle = 0;
    for (const session of this.#sessions) if (session.streams === 0) idle += 1;
    return { idle, busy: this.#sessions.size - idle + this.#draining.size };
  }

  /** How long the session that `available` would give has rested, ms; 0 where there is none. */
  get restedMs(): number {
    return this.available()?.restedMs ?? 0;
  }

  /** A session with room, or null. */
  available(): H2Session | null {
    let found: H2Session | null = null;
    for (const session of this.#sessions) if (session.room > 0) found = session;
    return found;
  }

  /** Serves the attempt when there is a place; gives it up after the time of a connection. */
  wait(attempt: Attempt): void {
    const { connectMs, tlsMs } = this.#upstream.timeouts;
    this.#waiting.add(attempt);
    const deadline = setTimeout(() => {
      const detail = 'no HTTP/2 session has room for a stream';
      attempt.fail({ code: 'connect_timeout', phase: 'connect', detail });
    }, connectMs + tlsMs);
    attempt.onSettled(() => {
      clearTimeout(deadline);
      this.#waiting.delete(attempt);
      // A connection that nobody waits for any more is not worth finishing.
      if (this.#waiting.size === 0) this.#stopDialling();
    });
    this.#serve();
  }

  close(): void {
    this.#closed = true;
    for (const session of [...this.#sessions]) session.close();
  }

  onRoom(session: H2Session): void {
    this.#serve();
    if (this.#closed && session.streams === 0) session.close();
  }

  onDraining(session: H2Session): void {
    this.#sessions.delete(session);
    if (session.streams > 0) this.#draining.add(session);
    this.#serve();
  }

  onEmpty(session: H2Session): void {
    this.#draining.delete(session);
  }

  /** Gives places to those that wait, and makes more where none will come by itself. */
  #serve(): void {
    for (const attempt of this.#waiting) {
      const session = this.available();
      if (session === null) break;
      attempt.assign((request, events) => session.start(request.prepared, events));
    }
    if (this.#waiting.size === 0 || this.#cancelDial !== null) return;
    for (const session of this.#sessions) if (session.mayGrow) return;
    this.#cancelDial = dial(this.#upstream, true, this.#ticket, {
      onReady: ({ socket, protocol }) => this.#dialled(socket, protocol),
      onFail: (failure) => this.#dialFailed(failure),
    });
  }

  #dialled(socket: Socket, protocol: 'h1' | 'h2'): void {
    this.#cancelDial = null;
    if (protocol === 'h2') {
      this.#sessions.add(new H2Session(socket, this.#upstream, this));
      this.#serve();
      return;
    }
    this.#upstream.h1OnlyUntil = performance.now() + this.#upstream.limits.alpnMemoryMs;
    const [first, ...others] = this.#waiting;
    if (first === undefined) socket.destroy();
    else this.#h1.adopt(socket, first);
    for (const attempt of others) this.#h1.open(attempt);
  }

  #dialFailed(failure: DialFailure): void {
    this.#cancelDial = null;
    for (const attempt of [...this.#waiting]) attempt.fail(failure);
  }

  #stopDialling(): void {
    this.#cancelDial?.();
    this.#cancelDial = null;
  }
}
