import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { madeRecords } from '../../test/support/made-ledger.ts';
import { temporaryDirectory, usageRecord } from '../ledger/fixtures.test.ts';
import { usageLine } from '../ledger/lines.ts';
import type { UsageRecord } from '../ledger/record.ts';
import { type CostOptions, priceLedger } from './cost.ts';
import { costText } from './cost-text.ts';
import type { Costs } from './cost-types.ts';
import { builtInPrices } from './price-table.ts';

const NOVEMBER = Date.parse('2026-11-26T12:00:00Z') / 1000;
/** The worked check of the price list: 15k tokens read from the cache, 5k fresh, 500 out. */
const SIDE_CALL: Partial<UsageRecord> = {
  ts: NOVEMBER,
  input_tokens: 5_000,
  output_tokens: 500,
  cache_read_tokens: 15_000,
  cache_write_tokens: 0,
};

async function costsOf(
  t: TestContext,
  records: readonly Partial<UsageRecord>[],
  options: Partial<CostOptions> = {},
): Promise<Costs> {
  const home = temporaryDirectory(t);
  mkdirSync(join(home, 'logs'));
  const lines = records.map((changes) => usageLine(usageRecord(changes)));
  writeFileSync(join(home, 'logs', 'usage.jsonl'), lines.join('\n'));
  return priceLedger({
    home,
    now: 0,
    selection: { since: null, session: null },
    prices: builtInPrices(),
    defaultLane: 'anthropic',
    plans: [],
    cacheTtl: '5m',
    ...options,
  });
}

/** A side call that was sent to zai, or that stayed. */
function call(asked: string, served: string = asked): Partial<UsageRecord> {
  const lane = served === asked ? {} : { lane: 'zai', upstream: 'zai' };
  return { ...SIDE_CALL, ...lane, model: asked, model_sent: served, model_served: served };
}

function listDollars(costs: Costs): number | undefined {
  return costs.lanes[0]?.list?.dollars;
}

describe('the cost of an exchange', () => {
  for (const [model, dollars] of [
    ['claude-haiku-5-5', 0.0009],
    ['claude-haiku-4-5-20251001', 0.009],
    ['glm-4.5-air', 0.002],
    ['GLM-4.5-Air', 0.002],
    ['glm-5.3-flash', 0.000725],
    ['glm-4.7', 0.00575],
    ['glm-4.7-flashx', 0.0007],
    ['glm-4.7-flash', 0],
  ] as const) {
    test(`by ${model}, of the worked check`, async (t) => {
      const costs = await costsOf(t, [call(model)]);
      assert.equal(listDollars(costs), dollars);
      assert.equal(costs.lanes[0]?.list?.basis, 'reported');
    });
  }

  test('is that of the day on which it began', async (t) => {
    const at = (day: string): Partial<UsageRecord> => ({
      ...call('claude-sonnet-5-5'),
      ts: Date.parse(day) / 1000,
      input_tokens: 0,
      output_tokens: 0,
      cache_read_tokens: 1_000_000,
    });
    assert.equal(listDollars(await costsOf(t, [at('2026-10-06T23:59:59.999Z')])), 0.2);
    assert.equal(listDollars(await costsOf(t, [at('2026-10-07T00:00:00.000Z')])), 0.1);
    const before = await costsOf(t, [at('2026-09-27T23:59:59Z')]);
    assert.deepEqual(
      before.unknown.map(({ model, as, reason }) => [model, as, reason]),
      [['claude-sonnet-5-5', 'billed', 'no price at that date']],
    );
  });

  test('is that of the length of its whole prompt', async (t) => {
    const of = (written: number): Partial<UsageRecord> => ({
      ...call('claude-haiku-5-5'),
      input_tokens: 40_000,
      output_tokens: 0,
      cache_read_tokens: 50_000,
      cache_write_tokens: written,
    });
    const short = await costsOf(t, [of(10_000)]);
    assert.equal(listDollars(short), 0.00575);
    const long = await costsOf(t, [of(10_001)]);
    assert.equal(listDollars(long), 0.028750625);
  });

  test('takes cache writes as kept for the time that is assumed, and says so', async (t) => {
    const written = { ...call('claude-opus-5-5'), cache_write_tokens: 100_000 };
    const five = (await costsOf(t, [written])).lanes[0];
    assert.deepEqual(five?.list, {
      dollars: 0.533,
      basis: 'estimated',
      reported: 0.033,
      repaired: 0,
      estimated: 0.5,
    });
    assert.equal(five?.other_cache_ttl, 0.3);
    const hour = (await costsOf(t, [written], { cacheTtl: '1h' })).lanes[0];
    assert.deepEqual([hour?.list?.dollars, hour?.other_cache_ttl], [0.833, -0.3]);
  });

  test('of a cut answer, of one with a count missing or of a model that did not name itself is repaired', async (t) => {
    for (const changes of [
      { sse: 'cut', intact: false },
      { output_tokens: null },
      { model_served: null },
      { model_served: 'nobody-knows-1' },
    ] as const) {
      const { lanes, unknown } = await costsOf(t, [{ ...call('claude-haiku-4-5'), ...changes }]);
      assert.equal(lanes[0]?.list?.basis, 'repaired');
      assert((lanes[0]?.list?.repaired ?? 0) > 0);
      assert.deepEqual(unknown, []);
    }
  });

  test('is not made up: what has no tokens, or no price, is counted and named', async (t) => {
    const nothing = {
      input_tokens: null,
      output_tokens: null,
      cache_read_tokens: null,
      cache_write_tokens: null,
    };
    const costs = await costsOf(t, [
      call('claude-haiku-4-5'),
      { ...call('claude-haiku-4-5'), ...nothing },
      { ...call('claude-haiku-4-5'), ...nothing, status: 529, err_type: '5xx' },
      { ...call('claude-haiku-4-5'), path: '/v1/messages/count_tokens' },
      call('claude-fable-9'),
      call('claude-fable-9', 'glm-4.5-air'),
    ]);
    const [anthropic] = costs.lanes;
    assert.deepEqual(anthropic?.exchanges, { charged: 2, unmetered: 1, free: 2, unpriced: 1 });
    assert.equal(anthropic?.list?.dollars, 0.009);
    assert.deepEqual(
      costs.unknown.map(({ lane, model, as, reason, exchanges }) => [
        lane,
        model,
        as,
        reason,
        exchanges,
      ]),
      [
        ['anthropic', 'claude-fable-9', 'billed', 'no price', 1],
        ['zai', 'claude-fable-9', 'asked', 'no price', 1],
      ],
    );
    const text = costText(costs);
    assert.match(
      text,
      /WITHOUT A PRICE .*\nclaude-fable-9 on anthropic: no price; 1 exchange not in any amount: 20,000 tokens in, 500 out/,
    );
    assert.match(text, /1 answer told no tokens and is in no amount/);
    assert.match(text, /2 exchanges not charged/);
  });

  test('of models that all have no price is none, not nothing', async (t) => {
    const costs = await costsOf(t, [call('claude-fable-9')]);
    const [lane] = costs.lanes;
    assert.deepEqual([lane?.list, lane?.dollars, lane?.exchanges.unpriced], [null, null, 1]);
    assert.match(costText(costs), /\nanthropic +1 +no price +- +- /);
  });
});

describe('routing', () => {
  test('that loses money is said to', async (t) => {
    const costs = await costsOf(t, [
      call('claude-haiku-5-5', 'glm-4.5-air'),
      call('claude-sonnet-5-5'),
    ]);
    const zai = costs.lanes.find(({ lane }) => lane === 'zai');
    assert.deepEqual(zai?.comparison, {
      exchanges: 1,
      dollars: 0.002,
      default_dollars: 0.0009,
      saved: -0.0011,
      verdict: 'loses',
    });
    assert.equal(costs.lanes.find(({ lane }) => lane === 'anthropic')?.comparison, null);
    const text = costText(costs);
    assert.match(
      text,
      /Routing to zai LOST an estimated \$0\.001100 \(1 exchange: \$0\.002000 here/,
    );
    assert.match(text, /-\$0\.001100 LOSES/);
    assert.match(text, /Token counts of GLM are not those of Claude/);
  });

  test('that saves money is said to, pair by pair', async (t) => {
    const costs = await costsOf(t, [
      call('claude-haiku-4-5-20251001', 'glm-4.5-air'),
      call('claude-haiku-5-5', 'glm-4.5-air'),
    ]);
    assert.deepEqual(
      costs.models.map(({ asked, comparison }) => [asked, comparison?.saved]),
      [
        ['claude-haiku-4-5', 0.007],
        ['claude-haiku-5-5', -0.0011],
      ],
    );
    assert.match(costText(costs), /Routing to zai saved an estimated \$0\.005900/);
  });

  test('to a lane that a plan pays costs nothing beyond it, and the list price is shown still', async (t) => {
    const costs = await costsOf(t, [call('claude-haiku-5-5', 'glm-4.5-air')], { plans: ['zai'] });
    const [zai] = costs.lanes;
    assert.deepEqual([zai?.plan, zai?.dollars, zai?.list?.dollars], [true, 0, 0.002]);
    assert.deepEqual([zai?.comparison?.saved, zai?.comparison?.verdict], [0.0009, 'saves']);
    assert.match(costText(costs), /nothing beyond the plan here/);
  });

  test('between models of one price makes no difference', async (t) => {
    const costs = await costsOf(t, [call('claude-opus-4-8', 'claude-opus-4-7')]);
    assert.equal(costs.lanes[0]?.comparison?.verdict, 'even');
    assert.match(costText(costs), /made no difference/);
  });
});

test('the costs of a long day are those of a plain program', async (t) => {
  const records = [...madeRecords({ seed: 3, count: 5_000 })];
  const costs = await costsOf(t, records);
  for (const lane of ['anthropic', 'zai']) {
    const charged = records.filter(
      ({ lane: its, path, output_tokens: out }) =>
        its === lane && path === '/v1/messages' && out !== null,
    );
    const cost = costs.lanes.find(({ lane: its }) => its === lane);
    assert.equal(cost?.exchanges.charged, charged.length);
    const here = charged.reduce((sum, record) => sum + plainCost(record, record.model_served), 0);
    assert(Math.abs(here - (cost?.list?.dollars ?? 0)) < 1e-6, `${here} ${cost?.list?.dollars}`);
    if (lane === 'anthropic') continue;
    const there = charged.reduce((sum, record) => sum + plainCost(record, record.model), 0);
    assert(Math.abs(there - (cost?.comparison?.default_dollars ?? 0)) < 1e-6);
  }
});

/** The plainest way to a price: the last row that is in force and whose threshold the prompt passes. */
function plainCost(record: UsageRecord, model: string | null): number {
  const name = model?.replace(/-\d{8}$/, '') ?? '';
  const { input_tokens: input, output_tokens: output } = record;
  const { cache_read_tokens: read, cache_write_tokens: written } = record;
  const prompt = (input ?? 0) + (read ?? 0) + (written ?? 0);
  const row = builtInPrices()
    .prices.filter(({ models }) => models.includes(name))
    .filter(({ from }) => from === null || Date.parse(from) / 1000 <= record.ts)
    .filter(({ prompt_over: over }) => over === 0 || prompt > over)
    .at(-1);
  assert(row !== undefined, name);
  const sum =
    (input ?? 0) * row.input +
    (output ?? 0) * row.output +
    (read ?? 0) * row.cache_read +
    (written ?? 0) * row.cache_write_5m;
  return sum / 1e6;
}
