/**
 * The one timer of an exchange with an upstream: who is waited for, and how long (ms by `Timeouts`).
 *
 * - The request is not yet taken by the system: `idleMs` without progress.
 * - It is sent whole and no head has come: `headMs` since its last byte, or since an interim answer.
 * - The answer is under way: `idleMs` of silence.
 * - The machine slept meanwhile: the time begins anew, since what is waited for may be here, unread.
 * - The client is waited for (more of the request, or room for the answer): no timer, the edge has its own.
 */
import type { Timeouts } from '../config/types.ts';
import type { Wakefulness } from './wakefulness.ts';

export type Waiting = 'client' | 'send' | 'head' | 'body';

export class Watchdog {
  readonly #timeouts: Timeouts;
  readonly #wake: Pick<Wakefulness, 'justWoke'>;
  readonly #onTimeout: (waiting: Waiting) => void;
  #timer: NodeJS.Timeout | null = null;
  #waiting: Waiting = 'client';

  /** @param wake tells whether a timer fires because the machine slept */
  constructor(
    timeouts: Timeouts,
    wake: Pick<Wakefulness, 'justWoke'>,
    onTimeout: (waiting: Waiting) => void,
  ) {
    this.#timeouts = timeouts;
    this.#wake = wake;
    this.#onTimeout = onTimeout;
  }

  /** Says what is waited for now; the time begins anew. */
  watch(waiting: Waiting): void {
    if (waiting === this.#waiting && this.#timer !== null) {
      this.#timer.refresh();
      return;
    }
    this.stop();
    this.#waiting = waiting;
    if (waiting === 'client') return;
    const ms = waiting === 'head' ? this.#timeouts.headMs : this.#timeouts.idleMs;
    this.#timer = setTimeout(fire, ms, this);
  }

  /** A byte of the answer came. */
  touch(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = 'client';
  }

  /** For the timer only. */
  fire(): void {
    const waiting = this.#waiting;
    this.stop();
    if (this.#wake.justWoke()) {
      this.watch(waiting);
      return;
    }
    this.#onTimeout(waiting);
  }
}

function fire(watchdog: Watchdog): void {
  watchdog.fire();
}
