/** `cost`: what each lane cost, and what the same exchanges would have cost on the default lane. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { ConfigError } from '../../config/errors.ts';
import { type CostOptions, priceLedger } from '../../reports/cost.ts';
import { costText } from '../../reports/cost-text.ts';
import type { CacheTtl, Costs } from '../../reports/cost-types.ts';
import { builtInPrices, type PriceTable, pricesWith } from '../../reports/price-table.ts';
import { EXIT } from '../failure.ts';
import { endOnSignal } from '../interrupt.ts';
import { print, printable, printJson, say } from '../output.ts';
import { type CommonOptions, configOf, homeOf } from '../settings.ts';
import type { SelectionOptions } from './summarize.ts';

export interface PricingOptions extends SelectionOptions {
  readonly plan?: readonly string[];
  readonly cacheTtl: CacheTtl;
  readonly prices?: string;
}

/** The lane that takes what nothing else does, in the configuration without a file. */
const USUAL_DEFAULT = 'anthropic';

export async function cost(options: PricingOptions): Promise<number> {
  endOnSignal();
  const costs = await priceLedger(await pricingOf(options));
  sayStrangePlans(costs);
  if (options.json === true) printJson(costs);
  else print(costText(costs));
  return EXIT.done;
}

/** Which exchanges are priced, and how. */
export async function pricingOf(options: PricingOptions): Promise<CostOptions> {
  const home = homeOf(options);
  return {
    home,
    now: Date.now(),
    selection: { since: options.since ?? null, session: options.session ?? null },
    prices: priceTable(options, home),
    defaultLane: await defaultLane(options),
    plans: options.plan ?? [],
    cacheTtl: options.cacheTtl,
  };
}

/** A plan for a lane that is not in the ledger may be a slip of the pen. */
export function sayStrangePlans({ assumed, lanes }: Costs): void {
  const names = lanes.map(({ lane }) => lane);
  for (const plan of assumed.plans) {
    if (names.includes(plan)) continue;
    say(
      `--plan ${plan}: no exchange took that lane; those in the ledger: ${names.map(printable).join(', ')}`,
    );
  }
}

function priceTable({ prices }: PricingOptions, home: string): PriceTable {
  if (prices !== undefined) return pricesWith(resolve(prices));
  const own = join(home, 'prices.json');
  return existsSync(own) ? pricesWith(own) : builtInPrices();
}

/** A ledger can be priced where no proxy could start, such as in a shell without the key. */
async function defaultLane(options: CommonOptions): Promise<string> {
  try {
    return (await configOf(options)).defaultLane;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    say(`the configuration is not good, so ${USUAL_DEFAULT} is taken for the default lane`);
    return USUAL_DEFAULT;
  }
}
