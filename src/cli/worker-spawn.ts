/**
 * Starts the worker processes of `start`. The first may be started ahead, before this process has
 * loaded what it needs itself: a worker takes its options only when it begins, and both get ready side
 * by side.
 */
import type { ChildProcess } from 'node:child_process';

import { spawnGuarded } from './guarded-process.ts';
import { ENTRY, WORKER_FLAGS } from './package-info.ts';

/** What the entry makes a worker of, in place of a command. */
export const WORKER_ARGUMENTS: readonly string[] = ['start', '--worker'];

let ahead: ChildProcess | null = null;

/** Starts a worker that the next `spawnWorker` gives out. One that nobody takes ends with this process. */
export function spawnAhead(): void {
  ahead ??= spawnProcess();
}

/** A worker process with a channel, which waits for its first message. */
export function spawnWorker(): ChildProcess {
  const worker = ahead ?? spawnProcess();
  ahead = null;
  return worker;
}

function spawnProcess(): ChildProcess {
  return spawnGuarded([...WORKER_FLAGS, ENTRY, ...WORKER_ARGUMENTS], {
    // What a worker has to say it says on stderr.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
