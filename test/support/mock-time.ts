/** Time that a test turns: timeouts and the monotonic clock, together. */
import type { TestContext } from 'node:test';

export interface MockTime {
  /** Lets so many ms pass. */
  tick(ms: number): void;
  /** Gives the real time back. */
  reset(): void;
}

/** The real time comes back at the end of the test at the latest. */
export function mockTime(t: TestContext): MockTime {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  // Whole, so that what passes adds up.
  let now = Math.ceil(performance.now());
  const clock = t.mock.method(performance, 'now', () => now);
  return {
    tick(ms) {
      now += ms;
      t.mock.timers.tick(ms);
    },
    reset() {
      clock.mock.restore();
      t.mock.timers.reset();
    },
  };
}
