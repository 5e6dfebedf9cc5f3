/**
 * What all parts of one simulated run share: chance, time, the stories of its exchanges, the trace, and
 * the first violation, which ends it.
 */

import type { VirtualTimer } from './ground.ts';
import type { Knobs } from './knobs.ts';
import type { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { SimSocket } from './socket.ts';
import type { Story } from './story.ts';

/** The invariants of docs/architecture.md, by name, and that the program lives. */
export type Invariant =
  | '1 isolation'
  | '2 fidelity'
  | '3 one end'
  | '4 no lie at the end'
  | '5 backpressure'
  | '6 nothing twice'
  | '7 closed by default'
  | '8 the observer'
  | 'the program lives';

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
  readonly step: number;
  /** Virtual ms. */
  readonly at: number;
}

const FNV_PRIME = 0x0100_0193;
const TRACE_LINES = 4_000;

export class World {
  readonly seed: number;
  readonly knobs: Knobs;
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly timers = new Set<VirtualTimer>();
  readonly stories = new Map<number, Story>();
  /** The program's sockets that are not closed. */
  readonly sockets = new Set<SimSocket>();
  violation: Violation | null = null;
  /** The last lines of what happened, where it is traced. */
  readonly trace: string[] = [];
  /** Run after the present step, when all its ticks have run. */
  readonly afterStep: (() => void)[] = [];
  readonly #isTracing: boolean;
  readonly #touched = new Set<SimSocket>();
  #hash = 0x811c_9dc5;

  constructor(seed: number, knobs: Knobs, random: Random, isTracing: boolean) {
    this.seed = seed;
    this.knobs = knobs;
    this.random = random;
    this.#isTracing = isTracing;
  }

  /** A digest of everything that happened so far. */
  get digest(): number {
    return this.#hash >>> 0;
  }

  get now(): number {
    return this.scheduler.now;
  }

  after(ms: number, run: () => void): void {
    this.scheduler.after(ms, run);
  }

  /** Notes that something happened: in the digest always, in words where it is traced. */
  note(who: string, what: string, value = 0): void {
    let hash = this.#hash;
    const mix = (part: number): void => {
      hash = Math.imul(hash ^ (part & 0xffff), FNV_PRIME);
      hash = Math.imul(hash ^ (part >>> 16), FNV_PRIME);
    };
    mix(who.length * 64 + what.length);
    mix(what.charCodeAt(0));
    mix(value);
    mix(Math.floor(this.now * 1000));
    this.#hash = hash;
    if (!this.#isTracing) return;
    const time = this.now.toFixed(3).padStart(12);
    this.trace.push(`${time} ms  step ${this.scheduler.steps}  ${who}: ${what} ${value}`);
    if (this.trace.length > 2 * TRACE_LINES) this.trace.splice(0, TRACE_LINES);
  }

  /** Says that an invariant does not hold. The first one counts. */
  violate(invariant: Invariant, what: string): void {
    this.violation ??= { invariant, what, step: this.scheduler.steps, at: this.now };
  }

  /** A socket of the program, not connected yet. */
  createSocket(isConnecting: boolean, onClosed: (socket: SimSocket) => void): SimSocket {
    const { highWaterMark, readBytesMax } = this.knobs;
    const socket = new SimSocket(
      {
        scheduler: this.scheduler,
        highWaterMark,
        readBytesMax,
        onChange: (changed) => this.#touched.add(changed),
        onClosed: (closed) => {
          this.sockets.delete(closed);
          onClosed(closed);
        },
      },
      isConnecting,
    );
    this.sockets.add(socket);
    return socket;
  }

  /** Runs one step and what was left for after it; false where nothing is left to happen. */
  step(look: (socket: SimSocket) => void): boolean {
    if (!this.scheduler.step()) return false;
    if (this.afterStep.length > 0) {
      for (const run of this.afterStep.splice(0)) run();
    }
    for (const socket of this.#touched) look(socket);
    this.#touched.clear();
    return true;
  }
}
