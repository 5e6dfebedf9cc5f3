/**
 * What each lane cost, and what the same exchanges would have cost on the default lane, by the prices that
 * were in force when each began. The amounts come exact from `sql/cost.sql`; here they are added up
 * by lane and judged.
 */
import { join } from 'node:path';
import { amountOf, exchangesOf, type Line, lineOf, money, tokensOf } from './cost-lines.ts';
import {
  type CacheTtl,
  COST_VERSION,
  type Comparison,
  type Costs,
  type LaneCost,
  type ModelCost,
  type Unknown,
} from './cost-types.ts';
import { type Database, openDatabase } from './database.ts';
import { extentOf } from './extent.ts';
import type { PriceTable } from './price-table.ts';
import { loadLedger, type Selection, type Source } from './source.ts';

export interface CostOptions {
  readonly home: string;
  /** Unix ms. */
  readonly now: number;
  readonly selection: Selection;
  readonly prices: PriceTable;
  readonly defaultLane: string;
  /** Lanes that a flat fee pays: an exchange more costs nothing there. */
  readonly plans: readonly string[];
  /** How long the caches that were written are kept; the ledger does not say. */
  readonly cacheTtl: CacheTtl;
}

/**
 * Prices the ledger of a home.
 *
 * @throws ReportError where there is no ledger
 */
export async function priceLedger(options: CostOptions): Promise<Costs> {
  const database = await openDatabase();
  try {
    const source = await loadLedger(database, join(options.home, 'logs'), options.selection);
    return await costsOf(database, source, options);
  } finally {
    database.close();
  }
}

/** The costs of a ledger that is loaded. */
export async function costsOf(
  database: Database,
  source: Source,
  options: CostOptions,
): Promise<Costs> {
  const { prices, plans, cacheTtl, defaultLane } = options;
  await database.set('prices', JSON.stringify(prices.prices));
  const { usage } = await extentOf(database);
  const lines = (await database.run('cost')).map(lineOf);
  const charged = lines.filter(({ kind }) => kind === 'charged');
  const byLane = Map.groupBy(lines, ({ lane }) => lane);
  const byModel = Map.groupBy(charged, ({ lane, asked, billed }) =>
    JSON.stringify([lane, asked, billed]),
  );
  return {
    version: COST_VERSION,
    generated: new Date(options.now).toISOString(),
    prices: { version: prices.version, own: prices.own },
    ledger: { ...source, ...usage },
    assumed: { default_lane: defaultLane, cache_ttl: cacheTtl, plans },
    lanes: [...byLane].map(([lane, of]) => laneCost(lane, of, options)),
    models: [...byModel.values()].flatMap((of) => modelCost(of, options)),
    unknown: unknownOf(charged, defaultLane),
  };
}

function laneCost(lane: string, lines: readonly Line[], options: CostOptions): LaneCost {
  const countOf = (kind: Line['kind']): number =>
    exchangesOf(lines.filter((line) => line.kind === kind));
  const charged = lines.filter(({ kind }) => kind === 'charged');
  const priced = charged.filter(({ billedPriced }) => billedPriced);
  const plan = options.plans.includes(lane);
  const unpriced = exchangesOf(charged) - exchangesOf(priced);
  const isKnown = charged.length === 0 || priced.length > 0;
  const list = isKnown ? amountOf(priced, options.cacheTtl) : null;
  const other = options.cacheTtl === '5m' ? '1h' : '5m';
  return {
    lane,
    plan,
    exchanges: {
      charged: countOf('charged'),
      unmetered: countOf('unmetered'),
      free: countOf('free'),
      unpriced,
    },
    tokens: tokensOf(charged),
    list,
    dollars: plan ? 0 : (list?.dollars ?? null),
    other_cache_ttl: money(amountOf(priced, other).dollars - (list?.dollars ?? 0)),
    comparison: compare(lane, priced, options),
  };
}

function modelCost(lines: readonly Line[], options: CostOptions): ModelCost[] {
  const [first] = lines;
  if (first === undefined) return [];
  const { lane, asked, billed } = first;
  const priced = lines.filter(({ billedPriced }) => billedPriced);
  return [
    {
      lane,
      asked,
      billed,
      exchanges: exchangesOf(lines),
      tokens: tokensOf(lines),
      list: priced.length === 0 ? null : amountOf(priced, options.cacheTtl),
      comparison: compare(lane, priced, options),
    },
  ];
}

/** Null on the default lane, and where nothing has a price on both sides. */
function compare(
  lane: string,
  priced: readonly Line[],
  { defaultLane, plans, cacheTtl }: CostOptions,
): Comparison | null {
  const both = priced.filter(({ askedPriced }) => askedPriced);
  if (lane === defaultLane || both.length === 0) return null;
  const dollars = plans.includes(lane) ? 0 : amountOf(both, cacheTtl).dollars;
  let there = 0;
  for (const line of both) there += line.there.rest + line.there[cacheTtl];
  const saved = money(there - dollars);
  return {
    exchanges: exchangesOf(both),
    dollars,
    default_dollars: money(there),
    saved,
    verdict: saved > 0 ? 'saves' : saved < 0 ? 'loses' : 'even',
  };
}

function unknownOf(charged: readonly Line[], defaultLane: string): Unknown[] {
  const found = charged.flatMap((line) => {
    const { lane, billed, asked, billedKnown, billedPriced, askedKnown, askedPriced } = line;
    const reason = (known: boolean) => (known ? 'no price at that date' : 'no price');
    const here = { lane, model: billed, as: 'billed', reason: reason(billedKnown), line } as const;
    const there = { lane, model: asked, as: 'asked', reason: reason(askedKnown), line } as const;
    return [
      ...(billedPriced ? [] : [here]),
      ...(askedPriced || lane === defaultLane ? [] : [there]),
    ];
  });
  const groups = Map.groupBy(found, ({ lane, model, as, reason }) =>
    JSON.stringify([lane, model, as, reason]),
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { line: _, ...what } = first;
    const lines = group.map(({ line }) => line);
    return [{ ...what, exchanges: exchangesOf(lines), tokens: tokensOf(lines) }];
  });
}
