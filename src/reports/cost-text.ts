/** What `cost` prints for people. Every figure in it says what it rests on. */
import { REPORT_KEYS_MAX } from '../core/limits.ts';
import type { Amount, Comparison, Costs, LaneCost, ModelCost, Unknown } from './cost-types.ts';
import { counted, dollars, plainText, plural, share, textTable } from './words.ts';

/** The whole text, without a newline at its end. */
export function costText(costs: Costs): string {
  const { ledger, prices } = costs;
  const own =
    prices.own === null ? '' : `, over them ${plainText(prices.own.file)} (${prices.own.version})`;
  if (ledger.records === 0)
    return 'The ledger holds no exchange that was asked for: nothing to price.';
  const parts = [
    `Costs from ${ledger.from} to ${ledger.to}, ${plural(ledger.records, 'exchange')}; prices of ${prices.version}${own}`,
    laneTable(costs),
    verdicts(costs).join('\n'),
    pairs(costs.models),
    unknown(costs.unknown),
    notes(costs)
      .map((note) => `- ${note}`)
      .join('\n'),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

/** One sentence for each lane that was not the default one: does routing pay? */
export function verdicts(costs: Costs): string[] {
  const { default_lane: usual } = costs.assumed;
  const sentence = ({ lane, plan, comparison }: LaneCost): string | null => {
    if (comparison === null) return null;
    const name = plainText(lane);
    const here = plan ? 'nothing beyond the plan' : dollars(comparison.dollars);
    const there = `${dollars(comparison.default_dollars)} on ${plainText(usual)}`;
    const facts = `${plural(comparison.exchanges, 'exchange')}: ${here} here, ${there}`;
    switch (comparison.verdict) {
      case 'saves':
        return `Routing to ${name} saved an estimated ${dollars(comparison.saved)} (${facts}).`;
      case 'loses':
        return `Routing to ${name} LOST an estimated ${dollars(-comparison.saved)} (${facts}).`;
      case 'even':
        return `Routing to ${name} made no difference (${facts}).`;
    }
  };
  return costs.lanes.map(sentence).filter((line) => line !== null);
}

function laneTable({ lanes, assumed }: Costs): string {
  const rows = lanes.map(({ lane, plan, exchanges, list, dollars: paid, comparison }) => [
    plainText(lane),
    counted(exchanges.charged),
    listPrice(list),
    restsOn(list, exchanges.unpriced),
    paid === null ? '-' : `${dollars(paid)}${plan ? ' by plan' : ''}`,
    lane === assumed.default_lane ? '(this one)' : there(comparison),
    saved(comparison),
  ]);
  return textTable([['lane', 'charged', 'list price', 'which is', 'paid', ...ESTIMATES], ...rows]);
}

/** Columns that are estimated, whatever the others rest on. */
const ESTIMATES = ['est. on the default lane', 'est. saved'];

/** An amount, or that there is none. */
export function listPrice(list: Amount | null): string {
  return list === null ? 'no price' : dollars(list.dollars);
}

/** What an amount rests on, and how many exchanges are not in it. */
function restsOn(list: Amount | null, unpriced: number): string {
  if (list === null) return '-';
  const without = unpriced === 0 ? '' : `; ${counted(unpriced)} more without a price`;
  return partsOf(list) + without;
}

function partsOf(amount: Amount): string {
  const { basis, dollars: whole } = amount;
  if (basis === 'reported' || whole === 0) return basis;
  return (['reported', 'repaired', 'estimated'] as const)
    .filter((part) => amount[part] > 0)
    .map((part) => `${share(amount[part], whole)} ${part}`)
    .join(', ');
}

function pairs(models: readonly ModelCost[]): string {
  const rows = models
    .slice(0, REPORT_KEYS_MAX)
    .map(({ lane, asked, billed, exchanges, list, comparison }) => [
      plainText(lane),
      asked === billed ? plainText(asked) : `${plainText(asked)} > ${plainText(billed)}`,
      counted(exchanges),
      listPrice(list),
      restsOn(list, 0),
      there(comparison),
      saved(comparison),
    ]);
  if (rows.length === 0) return '';
  const more = models.length - rows.length;
  const head = ['lane', 'model asked > billed', 'charged', 'list price', 'which is', ...ESTIMATES];
  return textTable([head, ...rows]) + (more > 0 ? `\n(${plural(more, 'pair')} more: --json)` : '');
}

function there(comparison: Comparison | null): string {
  return comparison === null ? '-' : dollars(comparison.default_dollars);
}

function saved(comparison: Comparison | null): string {
  if (comparison === null) return '-';
  return comparison.verdict === 'loses'
    ? `${dollars(comparison.saved)} LOSES`
    : dollars(comparison.saved);
}

function unknown(models: readonly Unknown[]): string {
  const lines = models
    .slice(0, REPORT_KEYS_MAX)
    .map(({ lane, model, as, reason, exchanges, tokens }) => {
      const effect =
        as === 'billed'
          ? `not in any amount: ${counted(tokens.input + tokens.cache_read + tokens.cache_write)} tokens in, ${counted(tokens.output)} out`
          : 'not compared with the default lane';
      return `${plainText(model)} on ${plainText(lane)}: ${reason}; ${plural(exchanges, 'exchange')} ${effect}`;
    });
  if (lines.length === 0) return '';
  const more = models.length - lines.length;
  if (more > 0) lines.push(`${plural(more, 'model')} more: --json`);
  return ['WITHOUT A PRICE (give it one: docs/reports.md):', ...lines].join('\n');
}

function notes({ assumed, lanes, ledger }: Costs): string[] {
  const lines = [
    'reported: tokens as the upstream counted them in whole answers; repaired: cut answers and missing counts, by what is known; estimated: as reported, and assumed besides.',
    'Token counts of GLM are not those of Claude: what the default lane would have cost takes the same counts, and the same hits of the cache, for another model.',
    `The ledger does not say for how long a cache is written: ${assumed.cache_ttl} is assumed${otherTtl(lanes, assumed.cache_ttl)}.`,
    'List prices: a subscription or a coding plan does not charge them (--plan LANE). Batch, fast mode, regional surcharges and web searches are not in the ledger and in no amount.',
  ];
  const unmetered = lanes.reduce((sum, { exchanges }) => sum + exchanges.unmetered, 0);
  if (unmetered > 0) {
    lines.push(
      `${plural(unmetered, 'answer')} told no tokens and ${unmetered === 1 ? 'is' : 'are'} in no amount.`,
    );
  }
  const free = lanes.reduce((sum, { exchanges }) => sum + exchanges.free, 0);
  if (free > 0)
    lines.push(`${plural(free, 'exchange')} not charged: errors, token counts, control calls.`);
  if (ledger.damaged > 0)
    lines.push(`${plural(ledger.damaged, 'damaged line')} of the ledger in no amount.`);
  for (const { file, reason } of ledger.unreadable) {
    lines.push(`${plainText(file)} could not be read and is in no amount: ${plainText(reason)}`);
  }
  return lines;
}

function otherTtl(lanes: readonly LaneCost[], ttl: string): string {
  const difference = lanes.reduce((sum, lane) => sum + lane.other_cache_ttl, 0);
  if (difference === 0) return '';
  const sign = difference > 0 ? '+' : '';
  return `; ${ttl === '5m' ? '1h' : '5m'} would be ${sign}${dollars(difference)} (--cache-ttl)`;
}
