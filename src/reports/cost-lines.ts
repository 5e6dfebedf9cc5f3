/** The rows of `sql/cost.sql`: exchanges alike in lane, models and basis, and sums over them. */
import type { Amount, CacheTtl, Tokens } from './cost-types.ts';
import type { Row } from './database.ts';

/** A row of the query. */
export interface Line {
  readonly lane: string;
  readonly kind: 'charged' | 'free' | 'unmetered';
  readonly asked: string;
  readonly billed: string;
  readonly billedKnown: boolean;
  readonly billedPriced: boolean;
  readonly askedKnown: boolean;
  readonly askedPriced: boolean;
  readonly whole: boolean;
  readonly exchanges: number;
  readonly tokens: Tokens;
  /** Dollars: all but cache writes, and these by the time they are kept. */
  readonly here: Record<'rest' | CacheTtl, number>;
  readonly there: Record<'rest' | CacheTtl, number>;
}

/** A row as DuckDB gives it. */
export function lineOf(row: Row): Line {
  const dollars = (name: string): number => Number(row[name] ?? 0) / 1e6;
  const count = (name: string): number => Number(row[name] ?? 0);
  return {
    lane: String(row['lane']),
    kind: row['kind'] as Line['kind'],
    asked: String(row['asked']),
    billed: String(row['billed']),
    billedKnown: row['billed_known'] === true,
    billedPriced: row['billed_priced'] === true,
    askedKnown: row['asked_known'] === true,
    askedPriced: row['asked_priced'] === true,
    whole: row['is_whole'] === true,
    exchanges: count('exchanges'),
    tokens: {
      input: count('input_tokens'),
      output: count('output_tokens'),
      cache_read: count('cache_read_tokens'),
      cache_write: count('cache_write_tokens'),
    },
    here: {
      rest: dollars('billed_amount'),
      '5m': dollars('billed_write_5m'),
      '1h': dollars('billed_write_1h'),
    },
    there: {
      rest: dollars('asked_amount'),
      '5m': dollars('asked_write_5m'),
      '1h': dollars('asked_write_1h'),
    },
  };
}

/** What exchanges with a price cost at list price, for caches kept so long. */
export function amountOf(priced: readonly Line[], ttl: CacheTtl): Amount {
  let reported = 0;
  let repaired = 0;
  let estimated = 0;
  for (const { here, whole } of priced) {
    // What a cache write costs is assumed only where its price depends on how long it is kept.
    const assumed = here['5m'] === here['1h'] ? 0 : here[ttl];
    const known = here.rest + here[ttl] - assumed;
    estimated += assumed;
    if (whole) reported += known;
    else repaired += known;
  }
  const isRepaired = priced.some(({ whole }) => !whole);
  return {
    dollars: money(reported + repaired + estimated),
    basis: estimated > 0 ? 'estimated' : isRepaired ? 'repaired' : 'reported',
    reported: money(reported),
    repaired: money(repaired),
    estimated: money(estimated),
  };
}

/** Tokens of exchanges, as they were reported. */
export function tokensOf(lines: readonly Line[]): Tokens {
  const tokens = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
  for (const { tokens: of } of lines) {
    tokens.input += of.input;
    tokens.output += of.output;
    tokens.cache_read += of.cache_read;
    tokens.cache_write += of.cache_write;
  }
  return tokens;
}

/** How many exchanges there are. */
export function exchangesOf(lines: readonly Line[]): number {
  let sum = 0;
  for (const { exchanges } of lines) sum += exchanges;
  return sum;
}

/** Dollars without the dust of adding in binary: whole billionths. */
export function money(dollars: number): number {
  return Math.round(dollars * 1e9) / 1e9;
}
