/**
 * The files of a ledger, read into a database: rotated ones, compressed or not, then the current one.
 *
 * A file that can not be read is left out and named; it never ends a report. A rotation in the midst
 * of reading is noticed, and everything is read again.
 */
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { REPORT_LOADS_MAX } from '../core/limits.ts';
import { ANOMALIES_FILE, USAGE_FILE } from '../ledger/file-ledger.ts';
import { archivedFiles } from '../ledger/files.ts';
import { type Database, literalPath } from './database.ts';
import { ReportError } from './errors.ts';

/** Which records a report is about. */
export interface Selection {
  /** Unix seconds: exchanges that began at or after it; null for all. */
  readonly since: number | null;
  /** A session as the ledger writes it, 16 hex digits; null for all. */
  readonly session: string | null;
}

export const EVERYTHING: Selection = { since: null, session: null };

/** What was read. */
export interface Source {
  /** Names of the usage files that were read, oldest first. */
  readonly files: readonly string[];
  /** Their size as they lie on disk, bytes. */
  readonly bytes: number;
  /** Files that could not be read, and why. */
  readonly unreadable: readonly { readonly file: string; readonly reason: string }[];
}

interface Listing {
  readonly usage: readonly string[];
  readonly anomalies: readonly string[];
}

/**
 * Loads a ledger into the tables of `sql/load.sql`.
 *
 * @param logs the directory of the ledger (`logs` in the home)
 * @throws ReportError where there is no ledger, or none that can be read
 */
export async function loadLedger(
  database: Database,
  logs: string,
  selection: Selection,
): Promise<Source> {
  await database.set('since', selection.since);
  await database.set('session', selection.session);
  const current = join(logs, USAGE_FILE);
  for (let loads = 1; ; loads += 1) {
    const before = await inodeOf(current);
    const listing = await list(logs);
    const source = await load(database, listing);
    // The same file in its place before and after: nothing was rotated while the rest was read.
    if ((await inodeOf(current)) === before) return source;
    if (loads >= REPORT_LOADS_MAX) {
      throw new ReportError(`${current} was rotated ${loads} times while it was read; try again`);
    }
  }
}

async function list(logs: string): Promise<Listing> {
  const usage = await archivedFiles(join(logs, USAGE_FILE));
  if (usage.length === 0) {
    throw new ReportError(
      `there is no ledger at ${join(logs, USAGE_FILE)}: no proxy has run with this home; ` +
        'start one (lanekeeper start, lanekeeper run), or name another home with --home',
    );
  }
  return { usage, anomalies: await archivedFiles(join(logs, ANOMALIES_FILE)) };
}

async function load(database: Database, listing: Listing): Promise<Source> {
  const unreadable: { file: string; reason: string }[] = [];
  let { usage, anomalies } = listing;
  if ((await tryLoad(database, usage, anomalies)) !== null) {
    const readable = async (file: string): Promise<boolean> => {
      const reason = await tryLoad(database, [file], []);
      if (reason !== null) unreadable.push({ file: basename(file), reason });
      return reason === null;
    };
    usage = await filter(usage, readable);
    anomalies = await filter(anomalies, readable);
    const reason = await tryLoad(database, usage, anomalies);
    if (reason !== null) throw new ReportError(`the ledger can not be read: ${reason}`);
  }
  let bytes = 0;
  for (const file of usage) bytes += (await stat(file).catch(() => null))?.size ?? 0;
  return { files: usage.map((file) => basename(file)), bytes, unreadable };
}

/** Null where it went well, else the reason in one line. */
async function tryLoad(
  database: Database,
  usage: readonly string[],
  anomalies: readonly string[],
): Promise<string | null> {
  const given = (files: readonly string[]): readonly string[] =>
    (files.length === 0 ? [database.nothing] : files).map(literalPath);
  await database.set('usage_files', given(usage));
  await database.set('anomaly_files', given(anomalies));
  try {
    await database.run('load');
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
}

async function filter(
  files: readonly string[],
  keep: (file: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const file of files) if (await keep(file)) kept.push(file);
  return kept;
}

async function inodeOf(path: string): Promise<number | null> {
  return (await stat(path).catch(() => null))?.ino ?? null;
}
