/**
 * The soak under faults and hostile inputs at once, in short: `make hostile-soak MINUTES=` is the long
 * one. The process lives, honest streams stay whole, and all is let go of.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tempHome } from '../support/home.ts';
import { HTTP1_LOAD } from './load.ts';
import { describeSoak, hostileSoak, judgeSoak } from './soak.ts';

test('honest drills under faults, and hostile inputs beside them', async (t) => {
  const home = await tempHome(t);
  const outcome = await hostileSoak({
    ms: 6_000,
    seed: 7,
    faultRate: 0.02,
    clients: 2,
    attackers: 8,
    pauseMs: 20,
    loads: [HTTP1_LOAD],
    home,
  });
  assert.deepEqual(judgeSoak(outcome), [], describeSoak(outcome));
  const [load] = outcome.hostile;
  assert(load !== undefined && load.inputs > 8, `${load?.inputs} hostile inputs`);
  assert(outcome.honest.counts.whole > 0);
});
