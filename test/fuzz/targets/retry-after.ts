/**
 * How long an answer asks to wait, against `Date.parse` where both read a date, and the bounds of the
 * result everywhere.
 *
 * Input: the value of `Retry-After`; behind a line end that of `retry-after-ms`.
 */
import assert from 'node:assert/strict';
import { retryAfterMs } from '../../../src/core/retry-after.ts';
import { seedsOf, type Target } from '../target.ts';

/** 2026-06-15T12:00:00Z: no leap second, no end of a month. */
const NOW_MS = Date.UTC(2026, 5, 15, 12);

export const retryAfterTarget: Target = {
  name: 'retry-after',
  oracle: 'Date.parse where both read a date; else null or a whole number of ms from 0 on',
  covers: ['src/core/retry-after.ts'],
  seeds: seedsOf(
    '120',
    '0.5',
    'Mon, 15 Jun 2026 12:00:30 GMT',
    'Monday, 15-Jun-26 12:00:30 GMT',
    'Mon Jun 15 12:00:30 2026',
    'Mon Jun  5 12:00:30 2026',
    '30\n1500',
    'Tue, 30 Jun 2026 23:59:60 GMT',
  ),
  dictionary: [
    ...[
      'Mon, ',
      'Sunday, ',
      '29 Feb 2028',
      '31 Jun',
      '-76 ',
      '-77 ',
      ' GMT',
      '00:00:00',
      '23:59:60',
    ],
    ...['\n', '.', '-', '+', 'e9', '0001', '9999', ' '],
  ],
  bytesMax: 80,
  check(input) {
    const [coarse = '', fine] = input.toString('latin1').split('\n');
    const fields: [string, string][] = [['Retry-After', coarse]];
    if (fine !== undefined) fields.push(['retry-after-ms', fine]);
    const ms = retryAfterMs(fields, NOW_MS);
    assert(ms === null || (Number.isSafeInteger(ms) && ms >= 0), 'no number of ms');
    if (ms === null || /^\d+(?:\.\d+)?$/.test((fine ?? '').trim())) return;
    const text = coarse.trim();
    if (/^\d+(?:\.\d+)?$/.test(text)) {
      const asked = Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);
      assert(ms >= asked && ms < asked + 1 + asked / 1e12, 'another number of seconds');
      return;
    }
    // Two digits of a year and leap seconds are read otherwise by Date.parse, or not at all.
    if (text.includes('-') || text.includes(':60') || / 00\d\d\b/.test(text)) return;
    const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
    assert.equal(ms, Math.max(0, at - NOW_MS), 'another date');
  },
};
