/**
 * Idle HTTP/1.1 connections of one upstream and identity.
 *
 * Last in, first out: the warmest socket is used first and the others age away before the upstream's
 * own idle timer can close one under a request (the keep-alive race).
 */
import type { Socket } from 'node:net';
import type { OutboundEvents } from '../core/ports.ts';
import { H1Connection, type H1Owner } from './h1-connection.ts';
import type { EncodedRequest, H1Exchange } from './h1-exchange.ts';
import type { LaneStats } from './lane.ts';
import type { Upstream } from './upstream.ts';

export class H1Pool implements H1Owner {
  readonly #upstream: Upstream;
  /** Oldest first. */
  readonly #idle: H1Connection[] = [];
  #busy = 0;
  #sweep: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  stats(): LaneStats {
    return { idle: this.#idle.length, busy: this.#busy };
  }

  /** How long the connection that `take` would give has rested, ms; 0 where there is none. */
  get restedMs(): number {
    return this.#idle.at(-1)?.restedMs ?? 0;
  }

  /** Takes an idle connection that can be trusted, or null; an exchange has to begin on it at once. */
  take(): H1Connection | null {
    const trustedMs = this.#upstream.idle.ms;
    for (let c = this.#idle.pop(); c !== undefined; c = this.#idle.pop()) {
      this.#busy += 1;
      if (c.usable && c.restedMs < trustedMs) return c;
      c.destroy();
    }
    return null;
  }

  /** Begins an exchange on a new socket, which belongs to the pool from now on. */
  start(socket: Socket, request: EncodedRequest, events: OutboundEvents): H1Exchange {
    this.#busy += 1;
    return new H1Connection(socket, this.#upstream, this).start(request, events);
  }

  /** Drops idle connections at once and busy ones when their exchange ends. */
  close(): void {
    this.#closed = true;
    this.dropIdle();
  }

  onIdle(connection: H1Connection): void {
    if (this.#closed) {
      connection.destroy();
      return;
    }
    this.#busy -= 1;
    this.#idle.push(connection);
    if (this.#idle.length > this.#upstream.limits.idleSocketsMax) this.#idle[0]?.destroy();
    this.#sweep ??= setTimeout(sweep, this.#upstream.idle.ms, this).unref();
  }

  onGone(connection: H1Connection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    else this.#busy -= 1;
  }

  onStale(): void {
    this.dropIdle();
  }

  onExpired(restedMs: number): void {
    this.#upstream.idle.learn(restedMs);
    this.sweep();
  }

  /** Drops what has been idle too long, and comes back for the next. */
  sweep(): void {
    if (this.#sweep !== null) clearTimeout(this.#sweep);
    this.#sweep = null;
    const trustedMs = this.#upstream.idle.ms;
    for (const connection of [...this.#idle]) {
      const left = trustedMs - connection.restedMs;
      if (left > 1) {
        this.#sweep = setTimeout(sweep, left, this).unref();
        return;
      }
      connection.destroy();
    }
  }

  /** Lets go of what rests, whatever it was good for. */
  dropIdle(): void {
    if (this.#sweep !== null) clearTimeout(this.#sweep);
    this.#sweep = null;
    for (const connection of [...this.#idle]) connection.destroy();
  }
}

function sweep(pool: H1Pool): void {
  pool.sweep();
}
