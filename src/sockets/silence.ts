/**
 * Notices that nothing has happened for a time, at the cost of reading a clock when something does: one timer
 * stays for the life of a connection, and when it fires it is set again for what is left. Timers that are made
 * and cleared with each exchange, or begun anew with each event, are a measurable part of what both cost.
 */

export class Silence {
  readonly #onSilence: () => void;
  #timer: NodeJS.Timeout | null = null;
  /** When the timer fires, `performance.now()`. */
  #dueAt = 0;
  /** How long silence may last, ms; 0 while nothing is waited for. */
  #ms = 0;
  /** Of the last sign of life, `performance.now()`. */
  #heardAt = 0;

  /** @param onSilence called once for each `watch`, which is over then */
  constructor(onSilence: () => void) {
    this.#onSilence = onSilence;
  }

  /** Something is waited for from now on, for so long, ms; the time begins. */
  watch(ms: number): void {
    const now = performance.now();
    this.#ms = ms;
    this.#heardAt = now;
    if (this.#timer === null || this.#dueAt > now + ms) this.#arm(ms, now);
  }

  /** There was a sign of life: the time begins anew. */
  touch(): void {
    if (this.#ms > 0) this.#heardAt = performance.now();
  }

  /** Nothing is waited for now. */
  rest(): void {
    this.#ms = 0;
  }

  /** Nothing will be waited for any more. */
  close(): void {
    this.#ms = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** It is the connection that keeps the process alive, not that it may fall silent. */
  #arm(ms: number, now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(fire, ms, this).unref();
    this.#dueAt = now + ms;
  }

  /** For the timer only. */
  fire(): void {
    this.#timer = null;
    if (this.#ms === 0) return;
    const now = performance.now();
    const left = this.#heardAt + this.#ms - now;
    if (left > 0) {
      this.#arm(Math.ceil(left), now);
      return;
    }
    this.#ms = 0;
    this.#onSilence();
  }
}

function fire(silence: Silence): void {
  silence.fire();
}
