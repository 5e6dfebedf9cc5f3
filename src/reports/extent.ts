/** What a loaded ledger holds: records, damaged lines, and the time they span. */
import type { Database } from './database.ts';

export interface Extent {
  readonly records: number;
  /** Lines that are no record. */
  readonly damaged: number;
  /** Begin of the first and of the last exchange, ISO 8601; null where there is none. */
  readonly from: string | null;
  readonly to: string | null;
}

/** The extent of the exchanges, and beside it that of the anomalies, which have no span of their own. */
export async function extentOf(
  database: Database,
): Promise<{ readonly usage: Extent; readonly anomalies: Pick<Extent, 'records' | 'damaged'> }> {
  const [row = {}] = await database.run('extent');
  const count = (name: string): number => Number(row[name] ?? 0);
  return {
    usage: {
      records: count('records'),
      damaged: count('damaged'),
      from: isoOf(row['first_ts']),
      to: isoOf(row['last_ts']),
    },
    anomalies: { records: count('anomaly_records'), damaged: count('anomaly_damaged') },
  };
}

/** A moment in Unix seconds as ISO 8601 with milliseconds; null stays null. */
export function isoOf(seconds: unknown): string | null {
  return typeof seconds === 'number' ? new Date(Math.round(seconds * 1000)).toISOString() : null;
}
