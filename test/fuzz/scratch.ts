/** A temporary directory for the targets that read files: one for the process, gone when it ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

let made: string | null = null;

/** The directory; made with the first call. */
export function scratch(): string {
  if (made === null) {
    const directory = mkdtempSync(path.join(tmpdir(), 'lanekeeper-fuzz-'));
    process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
    made = directory;
  }
  return made;
}
