/**
 * Brings writes together at the end of a turn of the event loop: whoever reads at the other end of a
 * connection is woken by a write, which costs as much as the write, and is awake for those that follow.
 */

/** So many writes wait for each other at most: a burst of events must not wait for its last one. */
export const WRITERS_MAX = 32;

let due: (() => void)[] = [];
let isTurnWatched = false;

/** Runs it at the end of this turn, or sooner where many wait already; in the order of the calls. */
export function atEndOfTurn(write: () => void): void {
  due.push(write);
  if (due.length === WRITERS_MAX) process.nextTick(runDue);
  watchTurn();
}

function watchTurn(): void {
  if (isTurnWatched) return;
  isTurnWatched = true;
  setImmediate(endTurn);
}

function endTurn(): void {
  isTurnWatched = false;
  runDue();
}

function runDue(): void {
  const writes = due;
  due = [];
  let ran = 0;
  try {
    for (const write of writes) {
      ran += 1;
      write();
    }
  } finally {
    // One that throws takes no other with it.
    if (ran < writes.length) {
      due = [...writes.slice(ran), ...due];
      watchTurn();
    }
  }
}
