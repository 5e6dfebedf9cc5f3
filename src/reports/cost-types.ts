/**
 * What `cost` finds: amounts, each with what it rests on, by lane and by pair of models.
 *
 * `reported`: tokens as upstreams counted them, in whole answers. `repaired`: an answer was cut or a
 * count is missing, and what is known was taken. `estimated`: it rests on an assumption, such as that
 * another model would have counted the same tokens.
 */
import type { Extent } from './extent.ts';
import type { PriceTable } from './price-table.ts';
import type { Source } from './source.ts';

export const COST_VERSION = 1;
export type Basis = 'reported' | 'repaired' | 'estimated';
export type CacheTtl = '5m' | '1h';

/** Dollars by what they rest on. */
export interface Amount {
  readonly dollars: number;
  /** The weakest of its parts. */
  readonly basis: Basis;
  readonly reported: number;
  readonly repaired: number;
  readonly estimated: number;
}

/** Exchanges that have a price on both sides. */
export interface Comparison {
  readonly exchanges: number;
  /** What they cost here: nothing where a plan pays. */
  readonly dollars: number;
  /** What they would have cost on the default lane: always an estimate. */
  readonly default_dollars: number;
  /** Above 0: routing saved it; below: it lost it. */
  readonly saved: number;
  readonly verdict: 'saves' | 'loses' | 'even';
}

export interface ModelCost {
  readonly lane: string;
  readonly asked: string;
  readonly billed: string;
  readonly exchanges: number;
  readonly tokens: Tokens;
  /** At list price; null where the model has none. */
  readonly list: Amount | null;
  /** Null on the default lane, and where one side has no price. */
  readonly comparison: Comparison | null;
}

export interface Tokens {
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
}

export interface LaneCost {
  readonly lane: string;
  readonly plan: boolean;
  readonly exchanges: {
    /** Those whose tokens are known. */
    readonly charged: number;
    /** Answers whose tokens nobody knows: they are in no figure. */
    readonly unmetered: number;
    /** Other paths than `/v1/messages`, and errors. */
    readonly free: number;
    /** Charged ones whose model has no price: they are in no figure. */
    readonly unpriced: number;
  };
  readonly tokens: Tokens;
  /** At list price, whoever pays; null where no charged exchange has a price. */
  readonly list: Amount | null;
  /** What one pays for each exchange: the list price, or nothing where a plan pays. */
  readonly dollars: number | null;
  /** Added to the list price if all caches were kept for the other time. */
  readonly other_cache_ttl: number;
  /** Null on the default lane. */
  readonly comparison: Comparison | null;
}

/** A model without a price. */
export interface Unknown {
  readonly lane: string;
  readonly model: string;
  /** `asked`: what it would have cost on the default lane is not known. */
  readonly as: 'billed' | 'asked';
  readonly reason: 'no price' | 'no price at that date';
  readonly exchanges: number;
  readonly tokens: Tokens;
}

export interface Costs {
  readonly version: typeof COST_VERSION;
  readonly generated: string;
  readonly prices: { readonly version: string; readonly own: PriceTable['own'] };
  readonly ledger: Source & Extent;
  readonly assumed: {
    readonly default_lane: string;
    readonly cache_ttl: CacheTtl;
    readonly plans: readonly string[];
  };
  readonly lanes: readonly LaneCost[];
  readonly models: readonly ModelCost[];
  readonly unknown: readonly Unknown[];
}
