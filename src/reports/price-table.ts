/**
 * Prices: the table that ships with the program (`prices.json`, each row with its source), and over it
 * a table of the user's own in the same form.
 *
 * A row is for the exchanges that began at or after its date, until the next date of the same model, and for
 * prompts above its threshold, up to the next threshold of the same date. Each date states all of
 * its thresholds anew. Zod is loaded here, with the first table.
 */
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { PRICE_FILE_BYTES_MAX } from '../core/limits.ts';
import { PriceTableError } from './errors.ts';

const dollars = z.number().min(0).max(100_000);

const price = z.strictObject({
  /** Names of models in lower case, without a date behind them: all have this price. */
  models: z.array(z.string().regex(/^[a-z0-9][a-z0-9._:/-]{0,255}$/)).min(1),
  /** First day (UTC), or null: as far back as anybody knows. */
  from: z.iso.date().nullable(),
  /** For prompts of more tokens than this: fresh, read and written ones together. */
  prompt_over: z.int().min(0).default(0),
  /** Dollars per million tokens. */
  input: dollars,
  output: dollars,
  cache_write_5m: dollars,
  cache_write_1h: dollars,
  cache_read: dollars,
  source: z.string().min(1),
  note: z.string().optional(),
});

const table = z.strictObject({
  version: z.string().min(1),
  unit: z.literal('US dollars per million tokens').optional(),
  sources: z.record(z.string(), z.string()).optional(),
  prices: z.array(price).min(1),
});

export type Price = z.infer<typeof price>;

export interface PriceTable {
  /** Of the table that ships with the program. */
  readonly version: string;
  readonly prices: readonly Price[];
  /** Of the user's table; null where there is none. */
  readonly own: { readonly version: string; readonly file: string } | null;
}

/** The table that ships with the program. */
export function builtInPrices(): PriceTable {
  const { version, prices } = readTable(new URL('prices.json', import.meta.url));
  return { version, prices, own: null };
}

/**
 * The table with a user's own over it: a model that the user's names has the user's prices alone.
 *
 * @throws PriceTableError where the file can not be read or is not of the form; it says where and why
 */
export function pricesWith(file: string): PriceTable {
  const builtIn = builtInPrices();
  const own = readTable(file);
  const renewed = new Set(own.prices.flatMap(({ models }) => models));
  const kept = builtIn.prices.flatMap((row) => {
    const models = row.models.filter((model) => !renewed.has(model));
    return models.length === 0 ? [] : [{ ...row, models }];
  });
  return {
    version: builtIn.version,
    prices: [...kept, ...own.prices],
    own: { version: own.version, file },
  };
}

function readTable(file: string | URL): z.infer<typeof table> {
  const value = parse(file);
  const { success, data, error } = table.safeParse(value);
  if (!success) {
    const problems = error.issues.map(({ path, message }) => {
      const where = path.length === 0 ? '' : ` ${path.join('.')}:`;
      return `${file}:${where} ${message}`;
    });
    throw new PriceTableError(
      `${problems.join('\n')}\n  docs/reports.md shows the form of a price table`,
    );
  }
  check(data.prices, String(file));
  return data;
}

function parse(file: string | URL): unknown {
  try {
    if (statSync(file).size > PRICE_FILE_BYTES_MAX) {
      throw new PriceTableError(
        `${file}: larger than ${PRICE_FILE_BYTES_MAX} bytes; it is no price table`,
      );
    }
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) throw new PriceTableError(`${file}: ${error.message}`);
    throw error;
  }
}

/** No two prices for one model, date and threshold, and no date without a price for short prompts. */
function check(prices: readonly Price[], file: string): void {
  const thresholds = new Map<string, Set<number>>();
  for (const { models, from, prompt_over } of prices) {
    for (const model of models) {
      const when = `${model} from ${from ?? 'the beginning'}`;
      const seen = thresholds.get(when) ?? new Set();
      if (seen.has(prompt_over)) {
        throw new PriceTableError(
          `${file}: ${when}, prompt_over ${prompt_over}, has two prices; keep one`,
        );
      }
      thresholds.set(when, seen.add(prompt_over));
    }
  }
  for (const [when, seen] of thresholds) {
    if (!seen.has(0)) {
      throw new PriceTableError(
        `${file}: ${when} has no price with prompt_over 0; add the one for short prompts`,
      );
    }
  }
}
