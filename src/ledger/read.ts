/**
 * Reads a ledger back: its rotated files, oldest first, then the current one, record by record, in
 * memory that does not grow with the ledger.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { codeOf, rotatedFiles } from './files.ts';
import { LineSplitter, parseRecord } from './lines-reader.ts';
import type { AnomalyRecord, UsageRecord } from './record.ts';

export { followUsage } from './follow.ts';

/** Records in the order of their files. To be read once. */
export interface RecordReader<T> extends AsyncIterable<T> {
  /** Lines so far that hold no record. */
  readonly damaged: number;
}

const PIECE_BYTES = 64 * 1024;

/**
 * The usage records of one or more ledgers.
 *
 * @param paths current files such as `logs/usage.jsonl`; rotated ones beside them are read before
 *   them. A file that does not exist has no records
 * @throws while iterating, where a file exists but can not be read
 */
export function readUsage(paths: string | readonly string[]): RecordReader<UsageRecord> {
  return readRecords<UsageRecord>(paths);
}

/** The anomalies; see `readUsage`. */
export function readAnomalies(paths: string | readonly string[]): RecordReader<AnomalyRecord> {
  return readRecords<AnomalyRecord>(paths);
}

function readRecords<T>(paths: string | readonly string[]): RecordReader<T> {
  const all = typeof paths === 'string' ? [paths] : paths;
  let damaged = 0;
  async function* records(): AsyncGenerator<T> {
    for (const path of all) {
      for await (const line of ledgerLines(path)) {
        const record = parseRecord<T>(line);
        if (record === null) damaged += 1;
        else if (record !== undefined) yield record;
      }
    }
  }
  return {
    get damaged() {
      return damaged;
    },
    [Symbol.asyncIterator]: records,
  };
}

/**
 * All lines of a ledger. The current file is opened first and read last, so that one that is rotated
 * meanwhile is neither missed nor read twice.
 */
async function* ledgerLines(path: string): AsyncGenerator<string | null> {
  const current = await openIfThere(path);
  try {
    const inode = current === null ? null : (await current.stat()).ino;
    for (const file of await rotatedFiles(path)) {
      const handle = await openIfThere(file);
      if (handle === null) continue;
      try {
        if ((await handle.stat()).ino === inode) break;
        yield* linesOf(handle);
      } finally {
        await handle.close();
      }
    }
    if (current !== null) yield* linesOf(current);
  } finally {
    await current?.close();
  }
}

/** Null where there is no such file, or no longer. */
async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

async function* linesOf(handle: FileHandle): AsyncGenerator<string | null> {
  const splitter = new LineSplitter();
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (;;) {
    const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, null);
    if (bytesRead === 0) break;
    yield* splitter.push(piece.subarray(0, bytesRead));
  }
  const rest = splitter.end();
  if (rest !== undefined) yield rest;
}
