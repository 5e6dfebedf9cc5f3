/**
 * Snapshots of the metrics: `METRICS-YYYYMMDDTHHMMSSmmmZ.json`, one for each summary that was made, so
 * that a later one can be held against it.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^METRICS-\d{8}T\d{9}Z\.json$/;

/** The name of the snapshot of a moment, Unix ms; names sort by time. */
export function snapshotName(now: number): string {
  return `METRICS-${new Date(now).toISOString().replace(/[-:.]/g, '')}.json`;
}

/** Names of the snapshots in a directory, oldest first; none where it does not exist. */
export async function snapshotsIn(results: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(results);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.filter((name) => NAME.test(name)).sort();
}

/**
 * Removes all but the freshest snapshots. `METRICS.json` itself is none.
 *
 * @param keep at least 0
 * @returns the names of what was removed and of what is left, oldest first
 */
export async function pruneSnapshots(
  results: string,
  keep: number,
): Promise<{ readonly removed: readonly string[]; readonly kept: readonly string[] }> {
  const names = await snapshotsIn(results);
  const removed = names.slice(0, Math.max(0, names.length - keep));
  for (const name of removed) await rm(join(results, name), { force: true });
  return { removed, kept: names.slice(removed.length) };
}
