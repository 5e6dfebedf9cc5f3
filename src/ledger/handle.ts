/**
 * One open ledger file: opened for appending and private to its owner, its torn last line closed,
 * written one piece at a time. Which file is written, and when another one is, is decided in
 * `line-file.ts`, which keeps every record until it is on disk.
 */
import { strict as assert } from 'node:assert';
import {
  chmod,
  close,
  constants,
  fchmod,
  fstat,
  mkdir,
  mkdirSync,
  open,
  openSync,
  read,
  type Stats,
  stat,
  write,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LEDGER_LINE_BYTES_MAX, LEDGER_TORN_MS } from '../core/limits.ts';

const changeMode = promisify(chmod);
const changeModeOpen = promisify(fchmod);
const closeFile = promisify(close);
const makeDirectory = promisify(mkdir);
const openFile = promisify(open);
const readFile = promisify(read);
const statFile = promisify(stat);
const statOpen = promisify(fstat);
const writeFile = promisify(write);

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OTHERS_MASK = 0o077;
const NEWLINE = 0x0a;
/** Readable too, since the last line is looked at. */
const OPEN_FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

/**
 * Ends a part of a record, so that no reader takes the next one for its rest: behind a colon a JSON
 * parser looks for the value on the next line.
 */
export const TORN_END = '!\n';

/** How much of a piece was written, and why not the rest. */
export interface Written {
  readonly bytes: number;
  readonly error: unknown;
}

/** An open file. Not for use after a write that failed, but to be closed. */
export interface Handle {
  readonly fd: number;
  readonly stats: Stats;
  /** The last line was neither ended nor whole when the file was opened: its length, else null. */
  readonly tornBytes: number | null;
  /** Appends a piece, which must stay as it is meanwhile. One at a time. Never rejects. */
  write(piece: Buffer): Promise<Written>;
  /** No name leads to it any more. Never rejects. */
  isRemoved(): Promise<boolean>;
  /** Never rejects. */
  close(): Promise<void>;
}

/**
 * Opens a file for appending and makes it, its directory too, where it does not exist.
 *
 * A last line that was left without its end is closed, but in the file that was open before: there it
 * may be another process's write under way.
 *
 * @param knownInode of the file that was open before, or null
 * @throws the system's error
 */
export async function openHandle(path: string, knownInode: number | null): Promise<Handle> {
  await makePrivateDirectory(dirname(path));
  const fd = await openFile(path, OPEN_FLAGS, FILE_MODE);
  try {
    const before = await statOpen(fd);
    // Only a file: the ledger may be a link to a device, whose mode is not ours to change.
    if (before.isFile() && (before.mode & OTHERS_MASK) !== 0) await changeModeOpen(fd, FILE_MODE);
    const isNew = before.isFile() && before.ino !== knownInode;
    const tornBytes = isNew ? await mendLastLine(fd) : null;
    return makeHandle(fd, await statOpen(fd), tornBytes);
  } catch (error) {
    await closeFile(fd);
    throw error;
  }
}

/** The file as it stands where the path still leads to it, else null. */
export async function leadsTo(path: string, handle: Handle): Promise<Stats | null> {
  try {
    const found = await statFile(path);
    return found.ino === handle.stats.ino && found.dev === handle.stats.dev ? found : null;
  } catch {
    return null;
  }
}

async function makePrivateDirectory(directory: string): Promise<void> {
  await makeDirectory(directory, { recursive: true, mode: DIRECTORY_MODE });
  const { mode } = await statFile(directory);
  if ((mode & OTHERS_MASK) === 0) return;
  // A directory of somebody else stays as it is; the files in it are private all the same.
  await changeMode(directory, DIRECTORY_MODE).catch(() => undefined);
}

/**
 * Ends a last line that has no newline. A whole record becomes a record again; half of one becomes a
 * line of its own that readers count as damaged. Nothing is removed.
 */
async function mendLastLine(fd: number): Promise<number | null> {
  const line = await unfinishedLine(fd);
  if (line === null) return null;
  const isWhole = isRecord(line.toString());
  await writeFile(fd, isWhole ? '\n' : TORN_END);
  return isWhole ? null : line.length;
}

/**
 * The last line where it has no newline, else null. Other processes append to the same file: a line
 * that still grows is one of theirs under way.
 */
async function unfinishedLine(fd: number): Promise<Buffer | null> {
  let before = -1;
  for (;;) {
    const { size } = await statOpen(fd);
    if (size === 0) return null;
    const length = Math.min(size, LEDGER_LINE_BYTES_MAX);
    const tail = Buffer.allocUnsafe(length);
    const { bytesRead } = await readFile(fd, tail, 0, length, size - length);
    if (tail[bytesRead - 1] === NEWLINE) return null;
    if (size === before) {
      return tail.subarray(tail.lastIndexOf(NEWLINE, bytesRead - 1) + 1, bytesRead);
    }
    before = size;
    await wait(LEDGER_TORN_MS);
  }
}

function isRecord(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

function makeHandle(fd: number, stats: Stats, tornBytes: number | null): Handle {
  return {
    fd,
    stats,
    tornBytes,
    async write(piece) {
      let bytes = 0;
      try {
        while (bytes < piece.length) {
          const { bytesWritten } = await writeFile(fd, piece, bytes, piece.length - bytes, null);
          assert(bytesWritten > 0, 'the system takes bytes, or says why not');
          bytes += bytesWritten;
        }
        return { bytes, error: null };
      } catch (error) {
        return { bytes, error };
      }
    },
    async isRemoved() {
      const now = await statOpen(fd).catch(() => stats);
      return now.nlink === 0;
    },
    async close() {
      await closeFile(fd).catch(() => undefined);
    },
  };
}

/** Opens it at once, for what is written at the end of the process. @throws the system's error */
export function openForLastWrite(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
  return openSync(path, OPEN_FLAGS, FILE_MODE);
}
