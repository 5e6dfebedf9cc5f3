import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../test/support/properties.ts';
import type { Fields } from './message.ts';
import { retryAfterMs } from './retry-after.ts';

/** Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110. */
const THEN = Date.UTC(1994, 10, 6, 8, 49, 37);

function after(value: string, wallMs = THEN): number | null {
  return retryAfterMs([['Retry-After', value]], wallMs);
}

describe('Retry-After', () => {
  it('is read as seconds', () => {
    assert.equal(after('0'), 0);
    assert.equal(after('3'), 3000);
    assert.equal(after(' 120 '), 120_000);
    assert.equal(after('1.5'), 1500);
  });

  it('is read as a date in each of the three forms, and counts from now', () => {
    for (const date of [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ]) {
      assert.equal(after(date, THEN - 5000), 5000, date);
      assert.equal(after(date, THEN), 0, date);
      assert.equal(after(date, THEN + 60_000), 0, date);
    }
    assert.equal(after('Wed Nov 16 08:49:37 1994', THEN), 10 * 86_400_000);
  });

  it('takes a two-digit year for one at most 50 years ahead', () => {
    const now = Date.UTC(2026, 10, 22);
    const in2076 = Date.UTC(2076, 0, 1) - now;
    assert.equal(after('Wednesday, 01-Jan-76 00:00:00 GMT', now), in2076);
    assert.equal(after('Friday, 01-Jan-77 00:00:00 GMT', now), 0);
    assert.equal(after('Monday, 23-Nov-26 00:00:00 GMT', now), 86_400_000);
    assert.equal(after('Friday, 01-Jan-10 00:00:00 GMT', Date.UTC(2099, 11, 31)), in2110());
  });

  it('takes nothing that is neither', () => {
    for (const value of [
      '',
      '-1',
      '+1',
      'soon',
      '1e3',
      '0x10',
      '1,2',
      '1994-11-06T08:49:37Z',
      'Sun, 06 Nov 1994 08:49:37',
      'Sun, 06 Nov 1994 08:49:37 PST',
      'sun, 06 nov 1994 08:49:37 gmt',
      'Sun, 31 Feb 1994 08:49:37 GMT',
      'Sun, 00 Nov 1994 08:49:37 GMT',
      'Sun, 06 Nov 1994 24:00:00 GMT',
      'Sun, 06 Nov 1994 08:60:00 GMT',
      'Sun, 06 Nov 1994 08:00:61 GMT',
    ]) {
      assert.equal(after(value), null, value);
    }
    assert.equal(retryAfterMs([], THEN), null);
  });

  it('gives way to retry-after-ms where that can be read', () => {
    const both = (fine: string): Fields => [
      ['retry-after', '2'],
      ['retry-after-ms', fine],
    ];
    assert.equal(retryAfterMs(both('150'), THEN), 150);
    assert.equal(retryAfterMs(both('150.2'), THEN), 151);
    assert.equal(retryAfterMs(both('soon'), THEN), 2000);
    assert.equal(retryAfterMs([['Retry-After-Ms', '7']], THEN), 7);
  });

  it('reads every date that a server can write', () => {
    const wall = Date.UTC(2026, 10, 22, 12, 0, 0);
    const noon = fc.date({
      min: new Date(wall),
      max: new Date(wall + 40 * 365 * 86_400_000),
      noInvalidDate: true,
    });
    const property = fc.property(noon, (date) => {
      const at = Math.floor(date.getTime() / 1000) * 1000;
      assert.equal(after(new Date(at).toUTCString(), wall), Math.max(0, at - wall));
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('gives a whole number of ms or null for any text', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,400}(\.\d{1,9})?$/));
    const property = fc.property(text, (value) => {
      const ms = after(value);
      assert(ms === null || (Number.isSafeInteger(ms) && ms >= 0));
    });
    fc.assert(property, { numRuns: 500 });
  });
});

function in2110(): number {
  return Date.UTC(2110, 0, 1) - Date.UTC(2099, 11, 31);
}
