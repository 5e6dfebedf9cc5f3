/** The files that the program consists of, and whether they are still those that run. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { IN_CHECKOUT, PACKAGE_ROOT } from './package-info.ts';

/**
 * True where a file of the program, or the Node that runs it, was changed after a moment. An installer
 * may give files an old time of modification; the time of their last change it can not set.
 *
 * @param sinceMs Unix milliseconds
 */
export async function hasChangedSince(sinceMs: number): Promise<boolean> {
  const code = join(PACKAGE_ROOT, IN_CHECKOUT ? 'src' : 'dist');
  const names = await readdir(code, { recursive: true });
  const files = [
    ...names.map((name) => join(code, name)),
    join(PACKAGE_ROOT, 'bin', 'entry.mjs'),
    join(PACKAGE_ROOT, 'package.json'),
    process.execPath,
  ];
  for (const file of files) {
    if ((await stat(file)).ctimeMs > sinceMs) return true;
  }
  return false;
}
