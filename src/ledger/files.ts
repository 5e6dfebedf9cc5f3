/**
 * Names of ledger files: the current one (`usage.jsonl`), and those it was rotated to
 * (`usage-YYYYMMDDTHHMMSSmmmZ.jsonl`), whose names sort by time.
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
  const directory = dirname(path);
  const prefix = `${basename(path, EXTENSION)}-`;
  let names: string[];
  try {
    names = await listDirectory(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter((name) => name.startsWith(prefix) && name.endsWith(EXTENSION))
    .filter((name) => STAMP.test(name.slice(prefix.length, -EXTENSION.length)))
    .sort()
    .map((name) => join(directory, name));
}

/** All files of a ledger in the order of their records: rotated ones, then the current one. */
export async function ledgerFiles(path: string): Promise<string[]> {
  const files = await rotatedFiles(path);
  try {
    await statFile(path);
    files.push(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return files;
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
