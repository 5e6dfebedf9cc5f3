/**
 * Lets requests through in the order they ask, and switches the lane between two of them that want
 * different ones, while nothing is under way: each request is then judged by the switch as it stood.
 */
import type { DrillLane } from './types.ts';

export interface LaneSwitch {
  /** Resolves when the lane is set; `leave` is due then. Rejects where it can not be set. */
  enter(lane: DrillLane): Promise<void>;
  /** An exchange has ended. */
  leave(): void;
}

/** Makes it; the first request sets the lane. */
export function createLaneSwitch(set: (lane: DrillLane) => Promise<void>): LaneSwitch {
  let current: DrillLane | null = null;
  let underWay = 0;
  let emptied: (() => void) | null = null;
  let turn: Promise<void> = Promise.resolve();
  const pass = async (lane: DrillLane): Promise<void> => {
    if (lane !== current) {
      if (underWay > 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        emptied = resolve;
        await promise;
      }
      await set(lane);
      current = lane;
    }
    underWay += 1;
  };
  return {
    enter: (lane) => {
      turn = turn.then(() => pass(lane));
      return turn;
    },
    leave: () => {
      underWay -= 1;
      if (underWay > 0) return;
      emptied?.();
      emptied = null;
    },
  };
}
