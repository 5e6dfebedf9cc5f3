/** A ledger's summary on disk: `METRICS.json`, a snapshot of it, and `SUMMARY.md` for people. */
import { join } from 'node:path';
import { steeringEscaped } from '../core/steering.ts';
import { type Metrics, measure } from './metrics.ts';
import { snapshotName } from './snapshots.ts';
import type { Selection } from './source.ts';
import { summaryText } from './summary.ts';
import { writeWhole } from './write.ts';

export interface Summarized {
  readonly metrics: Metrics;
  /** Absolute paths. */
  readonly files: {
    readonly metrics: string;
    readonly snapshot: string;
    readonly summary: string;
  };
}

/**
 * Measures the ledger of a home and writes what was found to its `results`.
 *
 * @param now Unix ms
 * @throws ReportError where there is no ledger; then nothing is written
 */
export async function summarize(
  home: string,
  now: number,
  selection: Selection,
): Promise<Summarized> {
  const metrics = await measure(home, now, selection);
  const results = join(home, 'results');
  const files = {
    metrics: join(results, 'METRICS.json'),
    snapshot: join(results, snapshotName(now)),
    summary: join(results, 'SUMMARY.md'),
  };
  const text = `${steeringEscaped(JSON.stringify(metrics, null, 2))}\n`;
  await writeWhole(files.snapshot, text);
  await writeWhole(files.metrics, text);
  await writeWhole(files.summary, summaryText(metrics));
  return { metrics, files };
}
