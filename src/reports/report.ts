/** The report: a ledger as one page, `report.html`, with charts of what went where, when and at what cost. */
import { join } from 'node:path';
import { type CostOptions, costsOf } from './cost.ts';
import type { Costs } from './cost-types.ts';
import { openDatabase } from './database.ts';
import { extentOf } from './extent.ts';
import { pageText } from './html/page.ts';
import { type Metrics, metricsOf } from './metrics.ts';
import { loadLedger } from './source.ts';
import { timelineOf } from './timeline.ts';
import { writeWhole } from './write.ts';

/**
 * Writes the report of a home to its `results`.
 *
 * @returns the absolute path of the page, and the metrics and costs that are in it
 * @throws ReportError where there is no ledger; then nothing is written
 */
export async function writeReport(
  options: CostOptions,
): Promise<{ readonly file: string; readonly metrics: Metrics; readonly costs: Costs }> {
  const { home, selection, now } = options;
  const database = await openDatabase();
  try {
    const source = await loadLedger(database, join(home, 'logs'), selection);
    const { usage } = await extentOf(database);
    const metrics = await metricsOf(database, source, selection, now);
    const timeline = await timelineOf(database, usage);
    const costs = await costsOf(database, source, options);
    const file = join(home, 'results', 'report.html');
    await writeWhole(file, pageText({ metrics, costs, timeline }));
    return { file, metrics, costs };
  } finally {
    database.close();
  }
}
