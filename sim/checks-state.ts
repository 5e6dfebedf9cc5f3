/**
 * What is checked after every step, of the program as a whole: that its buffers are bounded, and that
 * where nothing is open, nothing is left.
 */
import { HELD_PIECE_BYTES_MIN, WRITE_BYTES_MAX } from '../src/core/limits.ts';
import type { SimProxy } from './proxy.ts';
import type { SimSocket } from './socket.ts';
import type { World } from './world.ts';

/** Heads, chunk sizes and interim answers beside what a buffer holds of bodies. */
const FRAMING_BYTES = 4 * 1024;

export class StateChecks {
  readonly #world: World;
  readonly #proxy: SimProxy;
  /** What may wait of a body that streams, of one that was edited as a whole, and to be read. */
  readonly #streamedMax: number;
  readonly #editedMax: number;
  readonly #readableMax: number;

  constructor(world: World, proxy: SimProxy) {
    this.#world = world;
    this.#proxy = proxy;
    const { highWaterMark, readBytesMax } = world.knobs;
    this.#readableMax = highWaterMark + readBytesMax;
    // Twice: what was read ahead is written on when the connection that it came by has broken. And small
    // pieces of a body that was held at first are one by then.
    this.#streamedMax = 2 * this.#readableMax + HELD_PIECE_BYTES_MIN + FRAMING_BYTES;
    this.#editedMax = this.#streamedMax + WRITE_BYTES_MAX;
  }

  /** Looks at a socket to which something happened. */
  look(socket: SimSocket): void {
    if (socket.destroyed) return;
    const writableMax = socket.takesEdited ? this.#editedMax : this.#streamedMax;
    if (socket.writableLength > writableMax) {
      const what = `${socket.writableLength} bytes wait in a socket for a peer that does not read`;
      this.#world.violate('5 backpressure', what);
    }
    if (socket.readableLength > this.#readableMax) {
      this.#world.violate('5 backpressure', `${socket.readableLength} bytes were read ahead`);
    }
  }

  afterStep(): void {
    const world = this.#world;
    if (world.sockets.size === 0 && this.#proxy.relay.open === 0) this.#isNothingLeft();
  }

  atTheEnd(): void {
    const { relay, edge, counts, budget } = this.#proxy;
    const world = this.#world;
    const left = (what: string): void =>
      world.violate('5 backpressure', `left at the end: ${what}`);
    if (world.sockets.size > 0) left(`${world.sockets.size} sockets`);
    if (relay.open > 0) world.violate('3 one end', `${relay.open} exchanges never ended`);
    if (budget.used > 0) left(`${budget.used} bytes of held bodies`);
    const stats = edge.stats();
    const open = stats.connections + stats.exchanges + stats.tunnels + counts.exchanges;
    if (open > 0) left(`counts of the edge ${JSON.stringify(stats)}`);
  }

  #isNothingLeft(): void {
    const world = this.#world;
    if (this.#proxy.budget.used > 0) {
      world.violate('5 backpressure', 'bytes are held though nothing is open');
    }
    for (const timer of world.timers) {
      if (timer.isHolding)
        world.violate('5 backpressure', 'a timer is left though nothing is open');
    }
  }
}
