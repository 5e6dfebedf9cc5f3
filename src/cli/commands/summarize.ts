/** `summarize`: the ledger of the home measured, to `results/METRICS.json` and `results/SUMMARY.md`. */
import { summarize as measureAndWrite } from '../../reports/summarize.ts';
import { verdictOf } from '../../reports/verdict.ts';
import { EXIT } from '../failure.ts';
import { endOnSignal } from '../interrupt.ts';
import { print, printJson } from '../output.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

/** Which exchanges a report is about. */
export interface SelectionOptions extends CommonOptions, JsonOption {
  /** Unix seconds. */
  readonly since?: number;
  /** As the ledger writes it. */
  readonly session?: string;
}

/** What the ledger says is no failure of the command, whatever it is: `gates` judges. */
export async function summarize(options: SelectionOptions): Promise<number> {
  endOnSignal();
  const { metrics, files } = await measureAndWrite(homeOf(options), Date.now(), {
    since: options.since ?? null,
    session: options.session ?? null,
  });
  if (options.json === true) printJson(metrics);
  else print(`${verdictOf(metrics).line}\n\n${files.summary}\n${files.metrics}`);
  return EXIT.done;
}
