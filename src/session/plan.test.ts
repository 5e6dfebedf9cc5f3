import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GATE_SOAK_MS_MIN } from '../core/limits.ts';
import { drillOfPhase, nextPhase, phasesOf, SESSION_PHASES } from './plan.ts';

const FULL = { quick: false, soakMinutes: null, ab: false };

test('the phases are those of the contract, in their order; ab only where it is asked for', () => {
  const usual = ['preflight', 'warmup', 'soak', 'parallel', 'burst', 'chaos'];
  assert.deepEqual(phasesOf(FULL), usual);
  assert.deepEqual(phasesOf({ ...FULL, ab: true }), [...usual, 'ab']);
});

test('a full soak is long enough for the stability gate, a quick one is not; minutes go before', () => {
  const soakMs = (size: typeof FULL): number => drillOfPhase('soak', size).ms ?? 0;
  assert(soakMs(FULL) >= GATE_SOAK_MS_MIN);
  assert(soakMs({ ...FULL, quick: true }) < GATE_SOAK_MS_MIN);
  const size = { quick: true, soakMinutes: 31, ab: false };
  assert.equal(drillOfPhase('soak', size).ms, 31 * 60_000);
  assert.notEqual(drillOfPhase('burst', size).ms, 31 * 60_000);
});

test('a session goes on with the first phase that is not done', () => {
  const phases = phasesOf(FULL);
  assert.equal(nextPhase(phases, new Set()), 'preflight');
  assert.equal(nextPhase(phases, new Set(['preflight', 'warmup', 'burst'])), 'soak');
  assert.equal(nextPhase(phases, new Set(SESSION_PHASES)), null);
});
