import assert from 'node:assert/strict';
import { test } from 'node:test';

import { faultEngine } from '../twin/faults.ts';
import { checkPlan } from '../twin/plan.ts';
import { planSchema } from '../twin/plan-schema.ts';
import { faultMix } from './fault-mix.ts';
import { planOf, requestOf } from './plan.ts';
import { bodyOf } from './request-text.ts';

const REQUESTS = 10_000;

/** Which faults befall so many requests of a soak. */
function befalling(share: number, protocol: 'h1' | 'h2', seed = 1): Map<string, number> {
  const engine = faultEngine(9);
  engine.set(faultMix({ share, seed, http2: protocol === 'h2' }));
  const counts = new Map<string, number>();
  for (let i = 0; i < REQUESTS; i += 1) {
    const request = requestOf(planOf('soak'), i, true);
    const { fault, release } = engine.request(request.lane, {
      protocol,
      request: {
        method: 'POST',
        target: '/v1/messages',
        path: '/v1/messages',
        fields: [request.lane === 'zai' ? ['x-api-key', 'k'] : ['authorization', 'Bearer t']],
        body: Buffer.from(JSON.stringify({ ...bodyOf(request), stream: request.stream })),
      },
    });
    release();
    if (fault === null) continue;
    counts.set(fault.kind, (counts.get(fault.kind) ?? 0) + 1);
  }
  return counts;
}

test('the mix is a valid plan at every share', async () => {
  for (const share of [0.0001, 0.02, 1]) {
    for (const http2 of [false, true]) await checkPlan(faultMix({ share, seed: 1, http2 }));
  }
});

test('every kind of fault that a request can meet is in it, those of HTTP/2 where it is spoken', () => {
  const branches = planSchema.shape.rules.element.shape.fault.options;
  const kinds = branches.map((branch) => branch.shape.kind.value);
  const left = new Set(['refuse', 'slow_tls', 'idle_close']);
  const expected = kinds.filter((kind) => !left.has(kind)).sort();
  assert.deepEqual([...befalling(0.5, 'h2').keys()].sort(), expected);
  const ofHttp2 = new Set(['goaway', 'refused_stream']);
  assert.deepEqual(
    [...befalling(0.5, 'h1').keys()].sort(),
    expected.filter((kind) => !ofHttp2.has(kind)),
  );
});

test('they befall the share that was asked for, the same each time', () => {
  for (const protocol of ['h1', 'h2'] as const) {
    const counts = befalling(0.1, protocol);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0) / REQUESTS;
    // One ingredient is for streams only, and of the two refusals one can apply: less than the whole.
    assert(total > 0.085 && total < 0.105, String(total));
    assert.deepEqual(befalling(0.1, protocol), counts);
    assert.notDeepEqual(befalling(0.1, protocol, 2), counts);
  }
});
