/**
 * Follows a ledger as it is written (`lanekeeper tail`): through rotation, truncation and removal,
 * and from before the file exists.
 *
 * The directory is watched, and looked at every half second besides, since not every file system
 * announces its changes.
 */
import { type FSWatcher, type Stats, statSync, watch } from 'node:fs';
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
 * The usage records that are added to a ledger from this call on, until the signal is aborted.
 * Damaged lines are passed over.
 *
 * @param path the current file, such as `logs/usage.jsonl`; it need not exist yet
 */
export function followUsage(
  path: string,
  options: FollowOptions = {},
): AsyncGenerator<UsageRecord> {
  // Now, since the generator itself begins to run only when the first record is asked for.
  const seen = options.from === 'start' ? undefined : statSync(path, { throwIfNoEntry: false });
  return followFrom(path, seen, options.signal);
}

/** Follows from behind what was seen of the file, or from the beginning. */
async function* followFrom(
  path: string,
  seen: Stats | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<UsageRecord> {
  const changes = watchChanges(path, signal);
  let current: Followed | null = await openFollowed(path);
  if (current !== null && current.inode === seen?.ino) current.position = seen.size;
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

async function openFollowed(path: string): Promise<Followed | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch {
    return null;
  }
  const { ino } = await handle.stat();
  return { handle, inode: ino, position: 0, splitter: new LineSplitter() };
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

/** Looks that a ledger rotating at that very moment may cost. */
const LOOKS_MAX = 5;

/** The file to go on with, `same` for the one that is open, null while there is none. */
async function successor(
  path: string,
  current: Followed | null,
): Promise<Followed | null | 'same'> {
  if (current === null) return openFollowed(path);
  for (let looks = 1; looks <= LOOKS_MAX; looks += 1) {
    const files = await listed(path);
    const at = files.findLastIndex(({ inode }) => inode === current.inode);
    // It may have been renamed while the list was made; a second one shows it under its new name.
    if (at < 0 && looks === 1) continue;
    // Rotated more than once since: the files in between come first. Removed: the current one.
    // A rotated name is reserved by an empty file, which holds nothing to follow.
    const next = files
      .slice(at + 1)
      .find(({ file, size }) => file === path || (at >= 0 && size > 0));
    if (next === undefined) return files[at]?.file === path ? 'same' : null;
    const opened = await openFollowed(next.file);
    if (opened?.inode === next.inode) return opened;
    // Rotated between the look and the opening.
    await opened?.handle.close();
  }
  return 'same';
}

interface Listed {
  readonly file: string;
  readonly inode: number;
  readonly size: number;
}

/** The files of the ledger in their order, as they stand now. */
async function listed(path: string): Promise<Listed[]> {
  const files = await ledgerFiles(path).catch(() => [path]);
  const found = await Promise.all(
    files.map(async (file) => {
      const stats = await stat(file).catch(() => null);
      return stats === null ? [] : [{ file, inode: stats.ino, size: stats.size }];
    }),
  );
  return found.flat();
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
