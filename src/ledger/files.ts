/**
 * Names of ledger files: the current one (`usage.jsonl`), and those it was rotated to
 * (`usage-YYYYMMDDTHHMMSSmmmZ.jsonl`), whose names sort by time. Rotated files may have been
 * compressed by their owner since (`.jsonl.gz`, `.jsonl.zst`); this program never does it.
 */
import { close, open, readdir, rename, rm, stat } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const openFile = promisify(open);
const closeFile = promisify(close);
const listDirectory = promisify(readdir);
const renameFile = promisify(rename);
const removeFile = promisify(rm);
const statFile = promisify(stat);

const EXTENSION = '.jsonl';
const COMPRESSED = ['.jsonl.gz', '.jsonl.zst'];
const STAMP = /^\d{8}T\d{9}Z$/;
/** Rotations within one millisecond take the next free one; more than this is no coincidence. */
const NAME_TRIES_MAX = 1_000;

/** Where a ledger file goes when it is rotated at a moment (Unix ms). */
export function rotatedPath(path: string, wallMs: number): string {
  const stamp = new Date(wallMs).toISOString().replace(/[-:.]/g, '');
  return join(dirname(path), `${basename(path, EXTENSION)}-${stamp}${EXTENSION}`);
}

/**
 * The files that a ledger file was rotated to, oldest first; none where the directory is missing.
 *
 * @throws where the directory can not be listed
 */
export async function rotatedFiles(path: string): Promise<string[]> {
  const byStamp = await filesByStamp(path, [EXTENSION]);
  return [...byStamp.values()];
}

/** All files of a ledger in the order of their records: rotated ones, then the current one. */
export async function ledgerFiles(path: string): Promise<string[]> {
  return withCurrent(path, await rotatedFiles(path));
}

/**
 * The same, with the compressed ones among them; where a file lies there plain as well (it is being
 * compressed), the plain one alone.
 */
export async function archivedFiles(path: string): Promise<string[]> {
  const byStamp = await filesByStamp(path, [EXTENSION, ...COMPRESSED]);
  return withCurrent(path, [...byStamp.values()]);
}

/**
 * Moves a ledger file to its rotated name.
 *
 * The name is reserved first, so that two processes that rotate in the same millisecond can not
 * overwrite each other's file.
 *
 * @throws where the directory can not be written; a file that is already gone is no error
 */
export async function rotate(path: string, wallMs: number): Promise<void> {
  const target = await reserve(path, wallMs);
  try {
    await renameFile(path, target);
  } catch (error) {
    await removeFile(target, { force: true });
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes the oldest rotated files beyond a number. */
export async function pruneRotated(path: string, filesMax: number): Promise<void> {
  const files = await rotatedFiles(path);
  for (const file of files.slice(0, Math.max(0, files.length - filesMax))) {
    await removeFile(file, { force: true });
  }
}

/** The code of a system error, or its name. */
export function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}

/** Rotated files by their stamp, oldest first; of several with one stamp the first extension's. */
async function filesByStamp(
  path: string,
  extensions: readonly string[],
): Promise<Map<string, string>> {
  const directory = dirname(path);
  const prefix = `${basename(path, EXTENSION)}-`;
  let names: string[];
  try {
    names = await listDirectory(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return new Map();
    throw error;
  }
  const found: [stamp: string, file: string][] = [];
  for (const extension of extensions) {
    for (const name of names) {
      if (!name.startsWith(prefix) || !name.endsWith(extension)) continue;
      const stamp = name.slice(prefix.length, -extension.length);
      if (!STAMP.test(stamp) || found.some(([taken]) => taken === stamp)) continue;
      found.push([stamp, join(directory, name)]);
    }
  }
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function withCurrent(path: string, rotated: readonly string[]): Promise<string[]> {
  try {
    await statFile(path);
    return [...rotated, path];
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return [...rotated];
  }
}

async function reserve(path: string, wallMs: number): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const target = rotatedPath(path, wallMs + tries);
    try {
      await closeFile(await openFile(target, 'wx', 0o600));
      return target;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || tries >= NAME_TRIES_MAX) throw error;
    }
  }
}
