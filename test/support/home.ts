/**
 * Temporary homes: a directory of its own for each test, gone when the test is over.
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** What a node:test context offers here. */
export interface Cleanup {
  after(run: () => Promise<void> | void): void;
}

/** Makes an empty directory (0700) and removes it after the test. Returns its absolute path. */
export async function tempHome(context: Cleanup): Promise<string> {
  const home = await realpath(await mkdtemp(path.join(tmpdir(), 'lanekeeper-test-')));
  context.after(() => rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return home;
}
