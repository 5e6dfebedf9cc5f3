/** Reads the records of a drill as evidence: how many, where they went, what they say of streams. */
import type { DrillRecord } from './types.ts';

/** What the ledger says of a drill. */
export interface LedgerCount {
  readonly records: number;
  /** Records of which model and lane do not belong together. */
  readonly misroutes: number;
  /** Records of a 200 that is not intact, or of a stream that is not complete. */
  readonly notWhole: number;
  /** By lane and decision, such as `zai forced_model`. */
  readonly decisions: ReadonlyMap<string, number>;
}

const HAIKU = /haiku/i;
const OK = 200;

/**
 * Counts records, one at a time.
 *
 * @param onRecord is shown each of them
 */
export async function countRecords(
  records: AsyncIterable<DrillRecord>,
  onRecord?: (record: DrillRecord) => void,
): Promise<LedgerCount> {
  const decisions = new Map<string, number>();
  const counts = { records: 0, misroutes: 0, notWhole: 0 };
  for await (const record of records) {
    onRecord?.(record);
    counts.records += 1;
    const lane = HAIKU.test(record.model ?? '') ? 'zai' : 'anthropic';
    if (record.lane !== lane) counts.misroutes += 1;
    const isStream = record.op === 'stream' && record.status === OK;
    const whole = record.intact && (!isStream || record.sse === 'complete');
    if (record.status === OK && !whole) counts.notWhole += 1;
    const way = `${record.lane} ${record.decision}`;
    decisions.set(way, (decisions.get(way) ?? 0) + 1);
  }
  return { ...counts, decisions };
}
