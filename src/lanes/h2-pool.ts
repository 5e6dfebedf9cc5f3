/**
 * The HTTP/2 sessions of one upstream and identity, and the attempts that wait for a place on one.
 *
 * Requests share a session as long as their bodies fit into its window together; a body that would be
 * held up by another one's gets a session of its own, up to a bound. As many dials are under way as
 * sessions are needed for all that wait. Sessions that are not needed any more age away, since the
 * newest are used first. Where the upstream chooses HTTP/1.1 in the handshake, the first that waits
 * gets that socket and the others take the HTTP/1.1 way; it is remembered for a while.
 */
import type { Socket } from 'node:net';
import type { Attempt } from './attempt.ts';
import { dial, type Ticket } from './connect.ts';
import type { DialFailure } from './failure.ts';
import { type H2Owner, H2Session } from './h2-session.ts';
import { INITIAL_WINDOW_BYTES } from './h2-window.ts';
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
  /** Each cancels a dial that is under way. */
  readonly #dials = new Set<() => void>();
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
  restedMs(bodyBytes: number): number {
    return this.available(bodyBytes)?.restedMs ?? 0;
  }

  /** A session with room for such a body, or null where another session is the better choice. */
  available(bodyBytes: number): H2Session | null {
    let least: H2Session | null = null;
    let suited: H2Session | null = null;
    for (const session of this.#sessions) {
      if (session.room === 0) continue;
      if (session.suits(bodyBytes)) suited = session;
      if (least === null || session.owed < least.owed) least = session;
    }
    return suited ?? (this.#sessions.size < this.#upstream.limits.h2SessionsMax ? null : least);
  }

  /** The largest body that a stream lets out at once, as far as is known. */
  get letsOut(): number {
    let most = INITIAL_WINDOW_BYTES;
    for (const session of this.#sessions) most = Math.max(most, session.letsOut);
    return most;
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

  /** New streams go on new sessions: those that are here may be dead. Open streams go on. */
  renew(): void {
    for (const session of [...this.#sessions]) session.retire();
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
      const session = this.available(attempt.bodyBytes);
      if (session === null) continue;
      attempt.assign((request, events) => session.start(request.prepared, events));
    }
    for (let missing = this.#missing() - this.#dials.size; missing > 0; missing -= 1) this.#dial();
  }

  /** Sessions that those that wait need, beside what will be there without a dial. */
  #missing(): number {
    let fresh = 0;
    // Of the window of the session that is filled at present; below 0 where there is none.
    let left = -1;
    for (const session of this.#sessions) {
      if (!session.mayGrow) continue;
      if (session.owed === 0) fresh += 1;
      else left = Math.max(left, session.window - session.owed);
    }
    let needed = 0;
    for (const { bodyBytes } of this.#waiting) {
      if (bodyBytes > left) {
        needed += 1;
        left = INITIAL_WINDOW_BYTES;
      }
      left = Math.max(0, left - bodyBytes);
    }
    const most = this.#upstream.limits.h2SessionsMax - this.#sessions.size;
    return Math.min(needed - fresh, Math.max(1, most));
  }

  #dial(): void {
    const over = (): void => {
      this.#dials.delete(cancel);
    };
    const cancel = dial(this.#upstream, true, this.#ticket, {
      onReady: ({ socket, protocol }) => {
        over();
        this.#dialled(socket, protocol);
      },
      onFail: (failure) => {
        over();
        this.#dialFailed(failure);
      },
    });
    this.#dials.add(cancel);
  }

  #dialled(socket: Socket, protocol: 'h1' | 'h2'): void {
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

  /** Each dial was for one of those that wait, the last one for all of them. */
  #dialFailed(failure: DialFailure): void {
    for (const attempt of [...this.#waiting]) {
      attempt.fail(failure);
      if (this.#dials.size > 0) return;
    }
  }

  #stopDialling(): void {
    for (const cancel of this.#dials) cancel();
    this.#dials.clear();
  }
}
