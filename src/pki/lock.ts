/**
 * One writer at a time for a store, across processes and inside one.
 *
 * The lock is a file made with O_EXCL that names its holder. One whose holder has died is taken away
 * by whoever holds a second such file, so that no two can take it away at once and none can take away
 * a living one. The second is held for a few system calls only; should a process die just there, or
 * a dead holder's process id have been given to another program, the wait ends with an error that
 * names the file to remove.
 *
 * Readers take no lock: they check that what they read belongs together.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CA_LOCK_MS_MAX } from '../core/limits.ts';
import { PkiError, systemCode } from './errors.ts';
import { PRIVATE_MODE, readText, removeFile, shellWord, writeNew } from './files.ts';

const POLL_MS = 20;

/** Who waits for which lock in this process: the file cannot tell two of its calls apart. */
const queues = new Map<string, Promise<void>>();

/**
 * Runs `work` while holding the lock.
 *
 * @param path the lock file; its folder must exist
 * @param waitMs how long to wait for another process, ms
 * @throws PkiError `locked`, `unwritable`, and whatever `work` throws
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  waitMs: number = CA_LOCK_MS_MAX,
): Promise<T> {
  const before = queues.get(path) ?? Promise.resolve();
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  queues.set(path, done);
  await before;
  try {
    await acquire(path, waitMs);
    try {
      return await work();
    } finally {
      await removeFile(path);
    }
  } finally {
    if (queues.get(path) === done) queues.delete(path);
    finish();
  }
}

async function acquire(path: string, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!(await tryCreate(path))) {
    if (performance.now() >= deadline) {
      throw new PkiError(
        'locked',
        `${path} is held by another process: if no lanekeeper command is running, remove it (\`rm -f ${shellWord(path)} ${shellWord(breakPath(path))}\`)`,
      );
    }
    if (!(isStale(path) && (await breakStale(path)))) await delay(POLL_MS);
  }
}

async function tryCreate(path: string): Promise<boolean> {
  try {
    await writeNew(path, `${process.pid} ${ownThread()}\n`, PRIVATE_MODE);
    return true;
  } catch (error) {
    if (error instanceof PkiError && systemCode(error.cause) === 'EEXIST') return false;
    throw error;
  }
}

/** The module is loaded with the first lock, not with every start. */
function ownThread(): number {
  return process.getBuiltinModule('node:worker_threads').threadId;
}

/** True if the holder is known and dead; a lock without a readable holder counts as held. */
function isStale(path: string): boolean {
  const match = /^(\d+) (\d+)\n$/.exec(readText(path) ?? '');
  if (match === null) return false;
  const [pid, thread] = [Number(match[1]), Number(match[2])];
  // Ours would be in the queue: this one is of an earlier process with our id, as in a container.
  if (pid === process.pid) return thread === ownThread();
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}

/** The lock that must be held to take a dead process's lock away. */
export function breakPath(path: string): string {
  return `${path}.break`;
}

/** True if it is worth trying for the lock again at once. */
async function breakStale(path: string): Promise<boolean> {
  const right = breakPath(path);
  if (!(await tryCreate(right))) return false;
  try {
    // Only the holder of `right` removes a dead one's lock, so what is stale now stays until it does.
    if (isStale(path)) await removeFile(path);
    return true;
  } finally {
    await removeFile(right);
  }
}
