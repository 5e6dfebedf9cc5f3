/** The load of hostile HTTP/2 beside honest requests: these are served, and nothing is left of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertQuiet, honest, openHouse } from './house.ts';
import { hostileH2Load } from './load.ts';

const HONEST = 50;

test(`${HONEST} honest requests beside a hostile load`, { timeout: 240_000 }, async (t) => {
  const house = await openHouse(t);
  const { port } = house.plain;
  const over = new AbortController();
  const { signal } = over;
  const load = hostileH2Load({
    host: '127.0.0.1',
    port,
    ca: house.rig.ca,
    seed: 9113,
    signal,
    concurrency: 4,
  });
  for (let i = 0; i < HONEST; i += 1) assert.equal(await honest(port), 200);
  over.abort();
  const { inputs, byCase } = await load;
  assert.equal(
    Object.values(byCase).reduce((total, count) => total + count, 0),
    inputs,
  );
  assert(inputs >= 4);
  await assertQuiet(house);
  const { total } = house.rig.proxy.control.status().exchanges;
  assert.equal((await house.rig.records(total)).length, total);
  t.diagnostic(`${inputs} hostile inputs of ${Object.keys(byCase).length} kinds`);
});
