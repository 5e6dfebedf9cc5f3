import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { addToBatch, emptyBatch, judgeSeed, summaryOf } from './batch.ts';
import { Random } from './random.ts';
import { SABOTAGES } from './sabotage.ts';
import { simulateSeed } from './simulate.ts';
import { alone, sweepable, sweepSeed } from './sweep.ts';

/** The fixed set: these seeds and no others, in every run. */
const SEEDS = 400;
/** Exchanges of fewer bytes are swept, found among so many seeds. */
const SWEPT_BYTES_MAX = 420;
const SWEPT_SEEDS_MAX = 500;
/** Within so many seeds each sabotage must be caught. */
const SABOTAGE_SEEDS = 60;

/** What must have come up in the fixed set, or the invariants held for want of an occasion. */
const SITUATIONS = [
  'anomaly: fallback',
  'anomaly: not_held',
  'anomaly: tap_dropped',
  'answer cut: fin',
  'answer cut: reset',
  'answer cut: stall',
  'broken answer: chunk',
  'broken answer: head',
  'broken request: chunk',
  'broken request: head',
  'broken request: short',
  'client: clean',
  'client: cut',
  'client: left',
  'client: reset',
  'connection used again',
  'credential out of place: foreign-key',
  'credential out of place: own-in-body',
  'credential out of place: own-in-head',
  'credential out of place: own-in-target',
  'decision: default',
  'decision: forced_model',
  'decision: passthrough',
  'decision: paused',
  'decision: rule:opus',
  'decision: subagent',
  'encoded answer',
  'error of ours: foreign_host',
  'error of ours: foreign_origin',
  'error of ours: head_too_large',
  'error of ours: lane_isolation',
  'failed attempt: closed',
  'failed attempt: connect_timeout',
  'failed attempt: dns',
  'failed attempt: head_timeout',
  'failed attempt: idle_timeout',
  'failed attempt: protocol',
  'failed attempt: refused',
  'failed attempt: reset',
  'failed attempt: unreachable',
  'interim answers',
  'sent again: 401',
  'sent again: 404',
  'sent again: 429',
  'sent again: 503',
  'sent again: 529',
  'sent again: nothing had come back',
  'upgrade',
];

test('a world that was given up in the midst of a turn changes nothing for the next', () => {
  const before = simulateSeed(1).digest;
  let givenUp = 0;
  for (const { name, knobs, create } of SABOTAGES) {
    for (let seed = 1; seed <= 10; seed += 1) {
      const result = simulateSeed(seed, { sabotage: create(), ...(knobs && { knobs }) });
      if (result.violation !== null) givenUp += 1;
    }
    assert.equal(simulateSeed(1).digest, before, name);
  }
  assert.ok(givenUp > 0);
});

test('what waits for the end of a turn is no timer that is left behind', () => {
  assert.equal(simulateSeed(3_023_957).violation, null);
});

test('the numbers are those of xoshiro128**', () => {
  // The first of the reference implementation, from the state 1, 2, 3, 4.
  const reference = Random.ofState(1, 2, 3, 4);
  const first = [1, 2, 3, 4].map(() => reference.next());
  assert.deepEqual(first, [11_520, 0, 5_927_040, 70_819_200]);
  assert.equal(new Random(7).next(), new Random(7).next());
  assert.notEqual(new Random(7).next(), new Random(8).next());
  const random = new Random(0);
  let sum = 0;
  for (let i = 0; i < 10_000; i += 1) sum += random.float();
  assert.ok(Math.abs(sum / 10_000 - 0.5) < 0.02);
});

test('the invariants hold in the fixed set of seeds, in which everything comes up', (t) => {
  const batch = emptyBatch();
  for (let seed = 1; seed <= SEEDS; seed += 1) addToBatch(batch, judgeSeed(seed));
  t.diagnostic(summaryOf(batch));
  const [first] = batch.violations;
  assert.equal(first, undefined, `make simulate SEEDS=1 FIRST=${first?.seed}`);
  const missing = SITUATIONS.filter((what) => (batch.seen.get(what) ?? 0) === 0);
  assert.deepEqual(missing, []);
});

/** The first seed whose exchange is short and has an answer that is framed so. */
function seedToSweep(framing: string): number {
  for (let seed = 1; seed <= SWEPT_SEEDS_MAX; seed += 1) {
    const about = sweepable(alone(seed, {}));
    const isShort = about !== null && Math.max(about.request, about.answer) < SWEPT_BYTES_MAX;
    if (isShort && about.framing === framing) return seed;
  }
  return assert.fail(`no seed with such an answer: ${framing}`);
}

for (const framing of ['length', 'chunked', 'close']) {
  test(`one exchange holds them broken off at every byte, its answer framed by ${framing}`, (t) => {
    const batch = emptyBatch();
    const seed = seedToSweep(framing);
    for (const { forced, result } of sweepSeed(seed)) {
      addToBatch(batch, result);
      const { violation } = result;
      const replay = `make simulate SWEEP=1 SEEDS=1 FIRST=${seed} ${JSON.stringify(forced)}`;
      assert.equal(violation, null, `${replay}: ${violation?.invariant}, ${violation?.what}`);
    }
    t.diagnostic(summaryOf(batch));
    assert.ok(batch.seeds > 1_000);
  });
}

test('a seed is the same whenever it runs, traced or not', () => {
  for (const seed of [3, 14, 15, 92]) {
    const once = simulateSeed(seed);
    const again = simulateSeed(seed, { isTracing: true });
    assert.equal(again.digest, once.digest);
    assert.equal(again.steps, once.steps);
    assert.ok(again.trace.length > 0);
  }
  assert.notEqual(simulateSeed(3).digest, simulateSeed(4).digest);
});

test('nothing of the simulated ground is left behind', () => {
  const before = [setTimeout, clearTimeout, setImmediate, Date.now, Math.random, process.nextTick];
  simulateSeed(1);
  const after = [setTimeout, clearTimeout, setImmediate, Date.now, Math.random, process.nextTick];
  assert.deepEqual(after, before);
  const began = performance.now();
  while (performance.now() === began);
});

describe('a program that is broken on purpose is caught by the invariant that it breaks:', () => {
  for (const { name, invariant, knobs, create } of SABOTAGES) {
    test(`${invariant}: ${name}`, () => {
      for (let seed = 1; seed <= SABOTAGE_SEEDS; seed += 1) {
        const result = judgeSeed(seed, { sabotage: create(), ...(knobs && { knobs }) });
        if (result.violation?.invariant === invariant) return;
      }
      assert.fail(`not within ${SABOTAGE_SEEDS} seeds`);
    });
  }
});

test('the command says what was simulated, and refuses what it does not understand', async () => {
  const run = promisify(execFile);
  const main = join(import.meta.dirname, 'main.ts');
  const { stdout } = await run(process.execPath, [main, '--seeds', '5', '--first', '7']);
  assert.match(stdout, /^simulated 5 seeds, \d+ exchanges, \d+ steps, 0 violations\n$/);
  await assert.rejects(run(process.execPath, [main, '--seeds', 'many']), { code: 2 });
});
