/** Counts who uses a proxy, so that one which was started for them can end with the last. */
import { ControlError } from './admin/types.ts';

export interface Leases {
  /**
   * Counts one user; the returned function gives the lease back, and does no more when called again.
   *
   * @throws ControlError `draining` after `end`
   */
  take(): () => void;
  /** No more are given. */
  end(): void;
  /** Held now. */
  readonly held: number;
}

/**
 * Begins to count.
 *
 * @param onLast called whenever the last lease was given back
 */
export function createLeases(onLast: () => void): Leases {
  let held = 0;
  let over = false;
  return {
    take() {
      if (over) throw new ControlError('draining', 'this proxy is ending; start another.');
      held += 1;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        held -= 1;
        if (held === 0) onLast();
      };
    },
    end() {
      over = true;
    },
    get held() {
      return held;
    },
  };
}
