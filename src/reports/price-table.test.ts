import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../ledger/fixtures.test.ts';
import { PriceTableError } from './errors.ts';
import { builtInPrices, type Price, pricesWith } from './price-table.ts';

const ROW = {
  models: ['claude-sonnet-5'],
  from: null,
  input: 1,
  output: 2,
  cache_write_5m: 3,
  cache_write_1h: 4,
  cache_read: 0.5,
  source: 'my contract',
};

function fileWith(t: TestContext, content: unknown): string {
  const file = join(temporaryDirectory(t), 'prices.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function pricesOf(model: string, prices: readonly Price[]): Price[] {
  return prices.filter(({ models }) => models.includes(model));
}

test('the price list that ships is whole, and each row says where it is from', () => {
  const { prices } = builtInPrices();
  assert(prices.length > 15);
  for (const { models, cache_read: read, input, source } of prices) {
    assert(read <= input, `${models}`);
    assert.match(source, /^(claude-pricing-page|claudit|glm)$/);
  }
});

describe('a price table of one’s own', () => {
  test('takes the place of all prices of the models it names, and of no other', (t) => {
    const file = fileWith(t, { version: 'mine', prices: [{ ...ROW, models: ['glm-4.7', 'm-1'] }] });
    const { prices, own } = pricesWith(file);
    assert.deepEqual(own, { version: 'mine', file });
    assert.deepEqual(
      pricesOf('glm-4.7', prices).map(({ input }) => input),
      [1],
    );
    assert.deepEqual(
      pricesOf('glm-4.6', prices).map(({ input }) => input),
      [0.6],
    );
    assert.equal(pricesOf('m-1', prices)[0]?.prompt_over, 0);
  });

  for (const [what, content, words] of [
    ['is no JSON', '{"version":', /prices\.json: .*JSON/],
    ['lacks a price', { version: '1', prices: [{ ...ROW, input: undefined }] }, /prices\.0\.input/],
    ['has a name wrong', { version: '1', prices: [{ ...ROW, inputs: 1 }] }, /prices\.0: .*inputs/],
    [
      'has a price below 0',
      { version: '1', prices: [{ ...ROW, output: -1 }] },
      /prices\.0\.output/,
    ],
    [
      'has a date that is none',
      { version: '1', prices: [{ ...ROW, from: '7.10.' }] },
      /prices\.0\.from/,
    ],
    [
      'has two prices for one case',
      { version: '1', prices: [ROW, ROW] },
      /has two prices; keep one/,
    ],
    [
      'has none for short prompts',
      { version: '1', prices: [{ ...ROW, prompt_over: 9 }] },
      /no price with prompt_over 0/,
    ],
  ] as const) {
    test(`that ${what} is refused with the place and the reason`, (t) => {
      assert.throws(
        () => pricesWith(fileWith(t, content)),
        (error) => error instanceof PriceTableError && words.test(error.message),
      );
    });
  }
});
