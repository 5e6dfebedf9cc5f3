/** `report`: the ledger of the home as a page with charts, `results/report.html`. */
import { writeReport } from '../../reports/report.ts';
import { verdictOf } from '../../reports/verdict.ts';
import { EXIT } from '../failure.ts';
import { endOnSignal } from '../interrupt.ts';
import { print, printJson } from '../output.ts';
import { type PricingOptions, pricingOf, sayStrangePlans } from './cost.ts';

export async function report(options: PricingOptions): Promise<number> {
  endOnSignal();
  const { file, metrics, costs } = await writeReport(await pricingOf(options));
  sayStrangePlans(costs);
  const verdict = verdictOf(metrics);
  if (options.json === true) printJson({ file, verdict });
  else print(`${verdict.line}\n\n${file}`);
  return EXIT.done;
}
