/** Writes a file of results whole or not at all: a reader never sees half of one. */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes a text, private to its owner, in place of what was there.
 *
 * @throws a system error where it can not be written; the former file is left as it was
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const pending = `${path}.${process.pid}`;
  try {
    const handle = await open(pending, 'w', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(pending, path);
  } catch (error) {
    await rm(pending, { force: true }).catch(() => undefined);
    throw naming(path, error);
  }
}

/** The error of a write does not know which file it was. */
export function naming(path: string, error: unknown): unknown {
  return error instanceof Error && !('path' in error) ? Object.assign(error, { path }) : error;
}
