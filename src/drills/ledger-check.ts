/** Reads the records of a drill as evidence: how many, where they went, and of which classes. */
import { createClasses, type RecordClasses } from './expected-records.ts';
import type { DrillRecord } from './types.ts';

/** What the ledger says of a drill. */
export interface LedgerCount {
  readonly records: number;
  /** By model and lane, such as `claude-haiku-5-5 zai`. */
  readonly ways: ReadonlyMap<string, number>;
  /** By lane and decision, such as `zai forced_model`. */
  readonly decisions: ReadonlyMap<string, number>;
  /** Answers 429, 503 and 529: the upstream had no room. */
  readonly busy: number;
  /** Exchanges that the proxy tried more than once. */
  readonly retries: number;
  readonly classes: RecordClasses;
}

const BUSY: ReadonlySet<number> = new Set([429, 503, 529]);

/**
 * Counts records, one at a time.
 *
 * @param onRecord is shown each of them
 */
export async function countRecords(
  records: AsyncIterable<DrillRecord>,
  onRecord?: (record: DrillRecord) => void,
): Promise<LedgerCount> {
  const ways = new Map<string, number>();
  const decisions = new Map<string, number>();
  const { classes, add } = createClasses();
  let count = 0;
  let retries = 0;
  let busy = 0;
  for await (const record of records) {
    onRecord?.(record);
    count += 1;
    if (record.retry) retries += 1;
    if (BUSY.has(record.status ?? 0)) busy += 1;
    increment(ways, wayOf(record.model ?? '-', record.lane));
    increment(decisions, `${record.lane} ${record.decision}`);
    add(record);
  }
  return { records: count, ways, decisions, busy, retries, classes };
}

/** The name under which exchanges of a model on a lane are counted. */
export function wayOf(model: string, lane: string): string {
  return `${model} ${lane}`;
}

/** Counts one more of a name. */
export function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
