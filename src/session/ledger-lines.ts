/** The lines of a ledger as they stand in its files, each with the record that it holds. */
import { join } from 'node:path';
import { USAGE_FILE } from '../ledger/file-ledger.ts';
import { archivedFiles } from '../ledger/files.ts';
import { LineSplitter, parseRecord } from '../ledger/lines-reader.ts';
import type { UsageRecord } from '../ledger/record.ts';
import { contentOf } from './secrets/search.ts';

/** A line without its newline, and its record. */
export interface LedgerLine {
  readonly text: string;
  readonly record: UsageRecord;
}

/**
 * All records of the ledger of a home, rotated files first, compressed or not.
 *
 * @throws a system error (while iterating) where a file can not be read
 */
export async function* ledgerLines(home: string): AsyncGenerator<LedgerLine> {
  for (const file of await archivedFiles(join(home, 'logs', USAGE_FILE))) {
    const splitter = new LineSplitter();
    for await (const piece of contentOf(file)) yield* recordsOf(splitter.push(piece as Buffer));
    yield* recordsOf([splitter.end() ?? '']);
  }
}

function* recordsOf(lines: readonly (string | null)[]): Generator<LedgerLine> {
  for (const text of lines) {
    const record = parseRecord<UsageRecord>(text);
    if (text !== null && record !== null && record !== undefined) yield { text, record };
  }
}
