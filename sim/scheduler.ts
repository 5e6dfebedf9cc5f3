/**
 * Virtual time: events in the order of their time, and of their making where that is the same. One
 * event with the ticks that it leaves behind is one step.
 *
 * As in Node, a callback is followed by all ticks (`process.nextTick`) before the next event runs.
 */
import assert from 'node:assert/strict';

export interface Scheduled {
  readonly at: number;
  readonly order: number;
  /** Null once it has run or was cancelled. */
  run: (() => void) | null;
}

export class Scheduler {
  /** Milliseconds since the run began. */
  now = 0;
  steps = 0;
  /** Events that are waiting. */
  waiting = 0;
  #order = 0;
  readonly #heap: Scheduled[] = [];
  #ticks: (() => void)[] = [];

  /** Runs it after so many ms. */
  after(ms: number, run: () => void): Scheduled {
    this.#order += 1;
    const event = { at: this.now + Math.max(0, ms), order: this.#order, run };
    this.#push(event);
    this.waiting += 1;
    return event;
  }

  cancel(event: Scheduled | null): void {
    if (event === null || event.run === null) return;
    event.run = null;
    this.waiting -= 1;
  }

  /** Runs it after the present callback, before the next event. */
  tick(run: () => void): void {
    this.#ticks.push(run);
  }

  /** Runs the next event and its ticks; false where none is left. */
  step(): boolean {
    let event = this.#pop();
    while (event !== null && event.run === null) event = this.#pop();
    if (event === null) return false;
    const { run } = event;
    event.run = null;
    assert(event.at >= this.now && run !== null, 'time goes forward');
    this.now = event.at;
    this.waiting -= 1;
    this.steps += 1;
    run();
    this.settle();
    return true;
  }

  /** Runs what the present callback left for after it. */
  settle(): void {
    for (let ticks = this.#ticks; ticks.length > 0; ticks = this.#ticks) {
      this.#ticks = [];
      for (const tick of ticks) tick();
    }
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Scheduled;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Scheduled | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as Scheduled, heap[child] as Scheduled)) {
        child = right;
      }
      const below = heap[child] as Scheduled;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
