/**
 * The one timer of a connection or stream to an upstream: who is waited for, and how long (ms by `Timeouts`).
 *
 * - The request is not yet taken by the system: `idleMs` without progress.
 * - It is sent whole and no head has come: `headMs` since its last byte, or since an interim answer.
 * - The answer is under way: `idleMs` of silence.
 * - The machine slept meanwhile: the time begins anew, since what is waited for may be here, unread.
 * - The client is waited for (more of the request, or room for the answer): no timer, the edge has its own.
 */
import type { Timeouts } from '../config/types.ts';
import { Silence } from '../sockets/silence.ts';
import type { FailureCode } from './failure.ts';
import type { Wakefulness } from './wakefulness.ts';

export type Waiting = 'client' | 'send' | 'head' | 'body';

/** What an exchange fails with whose time is over. */
export function timeoutOf(waiting: Waiting): readonly [code: FailureCode, detail: string] {
  if (waiting === 'head') return ['head_timeout', 'no answer in time'];
  return ['idle_timeout', waiting === 'send' ? 'takes no bytes' : 'fell silent'];
}

export class Watchdog {
  readonly #timeouts: Timeouts;
  readonly #wake: Pick<Wakefulness, 'justWoke'>;
  readonly #onTimeout: (waiting: Waiting) => void;
  readonly #silence = new Silence(() => this.#fell());
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
    this.#waiting = waiting;
    const { headMs, idleMs } = this.#timeouts;
    if (waiting === 'client') this.#silence.rest();
    else this.#silence.watch(waiting === 'head' ? headMs : idleMs);
  }

  /** A byte of the answer came. */
  touch(): void {
    this.#silence.touch();
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#silence.close();
  }

  #fell(): void {
    if (this.#wake.justWoke()) this.watch(this.#waiting);
    else this.#onTimeout(this.#waiting);
  }
}
