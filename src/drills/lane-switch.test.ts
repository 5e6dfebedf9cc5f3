import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { createLaneSwitch } from './lane-switch.ts';
import type { DrillLane } from './types.ts';

test('the lane is switched between requests that want different ones, with nothing under way', async () => {
  const story: string[] = [];
  let underWay = 0;
  const lanes = createLaneSwitch(async (lane) => {
    assert.equal(underWay, 0);
    await turn();
    assert.equal(underWay, 0);
    story.push(`switch ${lane}`);
  });
  const exchange = async (lane: DrillLane): Promise<void> => {
    await lanes.enter(lane);
    underWay += 1;
    story.push(lane);
    await turn();
    underWay -= 1;
    lanes.leave();
  };
  await Promise.all(
    (['anthropic', 'anthropic', 'zai', 'anthropic', 'anthropic'] as const).map(exchange),
  );
  await exchange('anthropic');
  assert.deepEqual(story, [
    'switch anthropic',
    'anthropic',
    'anthropic',
    'switch zai',
    'zai',
    'switch anthropic',
    'anthropic',
    'anthropic',
    'anthropic',
  ]);
});

test('a lane that can not be set fails whoever waits for it', async () => {
  const lanes = createLaneSwitch(() => Promise.reject(new Error('gone')));
  await assert.rejects(lanes.enter('zai'), /gone/);
  await assert.rejects(lanes.enter('zai'), /gone/);
});
