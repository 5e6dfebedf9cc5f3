/** Snapshots of a long drill: the result so far as a file, and a line that says where it lies. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes one value after the other, each to a file of its own. */
export interface Snapshots {
  /** Never throws: a long drill does not end for a full disk. @returns what came of it, in words */
  write(value: object): string;
}

/**
 * Snapshots of the drill that begins now.
 *
 * @param home below which they lie, in `results`
 */
export function snapshotsIn(home: string, drill: string, now: Date): Snapshots {
  const folder = join(home, 'results');
  const stamp = now.toISOString().replace(/[-:]|\.\d+/g, '');
  let number = 0;
  return {
    write: (value) => {
      number += 1;
      const path = join(folder, `drill-${drill}-${stamp}-${String(number).padStart(3, '0')}.json`);
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        // Whole or not at all, whoever reads meanwhile.
        writeFileSync(`${path}.tmp`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
        renameSync(`${path}.tmp`, path);
        return `snapshot ${path}`;
      } catch (error) {
        rmSync(`${path}.tmp`, { force: true });
        return `no snapshot: ${path}: ${error instanceof Error ? error.message : String(error)}`;
      }
    },
  };
}
