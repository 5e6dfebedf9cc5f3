/**
 * The ground that the program stands on, replaced: timers, ticks, the clock, `net.connect` and the decoders
 * of zlib are those of a simulated world while one runs, and what would bring in real time or chance throws.
 *
 * The program itself is not changed and does not know: the files that serve people are the files that
 * are simulated. Everything runs to its end within one call, so that the process around it (a test
 * runner, the command line) never meets a replaced function.
 */

import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { Scheduled, Scheduler } from './scheduler.ts';

/** What a world answers in place of the system. */
export interface Ground {
  readonly scheduler: Scheduler;
  /** Timers of the program that wait. */
  readonly timers: Set<VirtualTimer>;
  connect(target: { readonly host: string; readonly port: number }): net.Socket;
  /** In place of one of zlib. */
  createDecoder(): Transform;
}

/** Stands for `NodeJS.Timeout`. */
export class VirtualTimer {
  readonly #ground: Ground;
  readonly #ms: number;
  readonly #run: () => void;
  readonly #isRepeated: boolean;
  #event: Scheduled | null = null;
  #dueAt = 0;
  /** It would keep a process alive. */
  isHolding = true;

  constructor(ground: Ground, ms: number, run: () => void, isRepeated = false) {
    this.#isRepeated = isRepeated;
    this.#ground = ground;
    this.#ms = ms;
    this.#run = run;
    this.refresh();
  }

  /** Begins its time anew. An event that waits already is only put off when it comes. */
  refresh(): this {
    const { scheduler, timers } = this.#ground;
    this.#dueAt = scheduler.now + this.#ms;
    timers.add(this);
    if (this.#event === null) this.#wait(this.#ms);
    return this;
  }

  #wait(ms: number): void {
    const { scheduler, timers } = this.#ground;
    this.#event = scheduler.after(ms, () => {
      this.#event = null;
      const left = this.#dueAt - scheduler.now;
      if (left > 0) {
        this.#wait(left);
        return;
      }
      timers.delete(this);
      if (this.#isRepeated) this.refresh();
      this.#run();
    });
  }

  unref(): this {
    this.isHolding = false;
    return this;
  }

  ref(): this {
    this.isHolding = true;
    return this;
  }

  cancel(): void {
    this.#ground.scheduler.cancel(this.#event);
    this.#event = null;
    this.#ground.timers.delete(this);
  }
}

/**
 * What waits for the end of a turn. It is no timer that could be left behind: a turn always ends. It does so for
 * a world that was given up, too, since the program may have noted that it waits for it.
 */
class Immediates {
  readonly #ground: Ground;
  readonly #waiting = new Map<Scheduled, () => void>();

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  set(run: () => void): Scheduled {
    const event = this.#ground.scheduler.after(0, () => {
      this.#waiting.delete(event);
      run();
    });
    this.#waiting.set(event, run);
    return event;
  }

  clear(event: Scheduled): void {
    this.#ground.scheduler.cancel(event);
    this.#waiting.delete(event);
  }

  /** Ends the turn of a world that goes on no more; what it still says is nobody's concern. */
  endTurn(): void {
    for (const [event, run] of this.#waiting) {
      this.clear(event);
      try {
        run();
        this.#ground.scheduler.settle();
      } catch {
        // A world that was given up may be broken.
      }
    }
  }
}

type Callback = (...args: unknown[]) => void;

function forbidden(what: string): () => never {
  return () => {
    throw new Error(`${what} is not of the simulated world`);
  };
}

/** Runs `body`, which must be synchronous, with the ground replaced. */
export function standingOn<T>(ground: Ground, body: () => T): T {
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    setImmediate: globalThis.setImmediate,
    clearImmediate: globalThis.clearImmediate,
    queueMicrotask: globalThis.queueMicrotask,
  };
  const { now: dateNow } = Date;
  const { random } = Math;
  const { nextTick } = process;
  const { scheduler } = ground;
  const start = (run: Callback, ms: number, args: unknown[], isRepeated = false): VirtualTimer =>
    new VirtualTimer(ground, ms, () => run(...args), isRepeated);
  const immediates = new Immediates(ground);
  const stop = (timer: unknown): void => {
    if (timer instanceof VirtualTimer) timer.cancel();
  };
  Object.assign(globalThis, {
    setTimeout: (run: Callback, ms = 1, ...args: unknown[]) => start(run, Math.max(1, ms), args),
    clearTimeout: stop,
    setImmediate: (run: Callback, ...args: unknown[]) => immediates.set(() => run(...args)),
    clearImmediate: (event: Scheduled) => immediates.clear(event),
    setInterval: (run: Callback, ms = 1, ...args: unknown[]) => start(run, ms, args, true),
    clearInterval: stop,
    queueMicrotask: forbidden('queueMicrotask'),
  });
  process.nextTick = (run: Callback, ...args: unknown[]) => {
    scheduler.tick(args.length === 0 ? run : () => run(...args));
  };
  Date.now = forbidden('Date.now');
  Math.random = forbidden('Math.random');
  Object.defineProperty(performance, 'now', { value: () => scheduler.now, configurable: true });
  const former = standing;
  standing = ground;
  try {
    return body();
  } finally {
    immediates.endTurn();
    standing = former;
    Reflect.deleteProperty(performance, 'now');
    Math.random = random;
    Date.now = dateNow;
    process.nextTick = nextTick;
    Object.assign(globalThis, real);
  }
}

/** The ground of the run under way. */
let standing: Ground | null = null;

const DECODERS = [
  'createGunzip',
  'createInflate',
  'createBrotliDecompress',
  'createZstdDecompress',
] as const;

type Maker = (...args: never[]) => unknown;

/** A function of Node's that asks the ground where a run is under way, and is itself where none is. */
function intercepted(own: Maker, instead: (ground: Ground, args: unknown[]) => unknown): Maker {
  return (...args: unknown[]) =>
    standing === null ? Reflect.apply(own, undefined, args) : instead(standing, args);
}

/**
 * Puts `net.connect` and the decoders of zlib at the disposal of simulated worlds, once for a process.
 */
function intercept(): void {
  const connect = intercepted(net.connect, (ground, [target]) =>
    ground.connect(target as { host: string; port: number }),
  );
  Object.assign(net, { connect });
  for (const name of DECODERS) {
    const value = intercepted(zlib[name], (ground) => ground.createDecoder());
    // They are read-only, but for whoever defines them anew.
    Object.defineProperty(zlib, name, { value, configurable: true, enumerable: true });
  }
  syncBuiltinESMExports();
}

intercept();
