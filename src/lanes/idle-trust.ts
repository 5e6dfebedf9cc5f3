/**
 * How long an idle connection to one upstream may be trusted.
 *
 * At first as long as the pool keeps one anyway. Where the upstream closes one sooner, half of the time
 * that it took holds for all connections to it, so that only the first closing can cross a request.
 * The lesson is forgotten after a while: it may have been a restart, or a setting that is no more.
 */
import { POOL_IDLE_MS_MIN, POOL_LESSON_MS_MAX } from '../core/limits.ts';

export class IdleTrust {
  readonly #msMax: number;
  readonly #now: () => number;
  #learntMs = Number.POSITIVE_INFINITY;
  #learntUntil = 0;

  /**
   * @param msMax the pool's own bound
   * @param now monotonic ms
   */
  constructor(msMax: number, now: () => number = () => performance.now()) {
    this.#msMax = msMax;
    this.#now = now;
  }

  /** Idle connections are let go, and not used any more, after this time. */
  get ms(): number {
    return this.#now() < this.#learntUntil ? this.#learntMs : this.#msMax;
  }

  /** The upstream closed a connection that had rested for so long. */
  learn(restedMs: number): void {
    if (restedMs < POOL_IDLE_MS_MIN) return;
    this.#learntMs = Math.min(this.ms, restedMs / 2);
    this.#learntUntil = this.#now() + POOL_LESSON_MS_MAX;
  }
}
