/**
 * Follows a ledger as it is written (`lanekeeper tail`): through rotation, truncation and removal,
 * and from before the file exists.
 *
 * The directory is watched, and looked at every half second besides, since not every file system
 * announces its changes.
 */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LEDGER_POLL_MS } from '../core/limits.ts';
import { ledgerFiles } from './files.ts';
import { LineSplitter, parseRecord } from './lines-reader.ts';
import type { UsageRecord } from './record.ts';

export interface FollowOptions {
  /** Ends the following; the iteration then ends without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Where to begin in the current file: its end (default) or its beginning. */
  readonly from?: 'start' | 'end' | undefined;
}

const PIECE_BYTES = 64 * 1024;

/**
 * The usage records that are added to a ledger, until the signal is aborted. Damaged lines are
 * passed over.
 *
 * @param path the current file, such as `logs/usage.jsonl`; it need not exist yet
 */
export async function* followUsage(
  path: string,
  options: FollowOptions = {},
): AsyncGenerator<UsageRecord> {
  const { signal } = options;
  const changes = watchChanges(path, signal);
  let current: Followed | null = await openFollowed(path, options.from === 'start');
  try {
    while (signal?.aborted !== true) {
      if (current !== null) yield* readOn(current, signal);
      const next = await successor(path, current);
      if (next === 'same') {
        await changes.wait();
        continue;
      }
      // What was written between the last read and the rotation.
      if (current !== null) {
        yield* readOn(current, signal);
        await current.handle.close();
      }
      current = next;
      if (current === null) await changes.wait();
    }
  } finally {
    changes.close();
    await current?.handle.close();
  }
}

interface Followed {
  readonly handle: FileHandle;
  readonly inode: number;
  position: number;
  splitter: LineSplitter;
}

async function openFollowed(path: string, fromStart: boolean): Promise<Followed | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch {
    return null;
  }
  const { ino, size } = await handle.stat();
  return {
    handle,
    inode: ino,
    position: fromStart ? 0 : size,
    splitter: new LineSplitter(),
  };
}

/** The records between where reading stopped and the end of the file. */
async function* readOn(
  file: Followed,
  signal: AbortSignal | undefined,
): AsyncGenerator<UsageRecord> {
  const { size } = await file.handle.stat();
  if (size < file.position) {
    file.position = 0;
    file.splitter = new LineSplitter();
  }
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const { bytesRead } = await file.handle.read(piece, 0, PIECE_BYTES, file.position);
    if (bytesRead === 0) return;
    file.position += bytesRead;
    for (const line of file.splitter.push(piece.subarray(0, bytesRead))) {
      const record = parseRecord<UsageRecord>(line);
      if (record !== null && record !== undefined) yield record;
      if (signal?.aborted === true) return;
    }
  }
}

/** The file to go on with, `same` for the one that is open, null while there is none. */
async function successor(
  path: string,
  current: Followed | null,
): Promise<Followed | null | 'same'> {
  if (current === null) return openFollowed(path, true);
  const files = await ledgerFiles(path).catch(() => [path]);
  const inodes = await Promise.all(files.map(inodeOf));
  const at = inodes.lastIndexOf(current.inode);
  // Rotated more than once since: the files in between come first. Removed: the new one, if any.
  const next = at < 0 ? path : files[at + 1];
  if (next === undefined) return files[at] === path ? 'same' : null;
  const opened = await openFollowed(next, true);
  if (opened === null) return at < 0 ? null : 'same';
  return opened;
}

async function inodeOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).ino;
  } catch {
    return null;
  }
}

interface Changes {
  /** Resolves with the next change, after the polling interval, or with the abort. */
  wait(): Promise<void>;
  close(): void;
}

function watchChanges(path: string, signal: AbortSignal | undefined): Changes {
  let changed = false;
  let wake: (() => void) | null = null;
  const ring = (): void => {
    changed = true;
    wake?.();
  };
  const watcher = watchDirectory(dirname(path), ring);
  signal?.addEventListener('abort', ring);
  return {
    wait() {
      if (changed || signal?.aborted === true) {
        changed = false;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const timer = setTimeout(ring, LEDGER_POLL_MS);
        wake = () => {
          clearTimeout(timer);
          wake = null;
          changed = false;
          resolve();
        };
      });
    },
    close() {
      watcher?.close();
      signal?.removeEventListener('abort', ring);
    },
  };
}

function watchDirectory(directory: string, ring: () => void): FSWatcher | null {
  try {
    const watcher = watch(directory, { persistent: false }, ring);
    // A directory that is removed under the watcher is still looked at by the timer.
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
