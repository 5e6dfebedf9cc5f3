import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../test/support/properties.ts';
import { ATTEMPTS_MAX, BACKOFF_MS_MAX, POOL_IDLE_MS_MIN, POOL_RACE_MS_MAX } from './limits.ts';
import type { UpstreamFailure } from './ports.ts';
import { backoffMs, errTypeOf, isIdleRace, mayRetryFailure, type RetryFacts } from './retry.ts';

const CODES = [
  'dns',
  'refused',
  'unreachable',
  'certificate',
  'tls',
  'reset',
  'closed',
  'connect_timeout',
  'head_timeout',
  'idle_timeout',
  'protocol',
  'not_processed',
] as const satisfies readonly UpstreamFailure['code'][];

/** A request that went out on a fresh connection, which then broke. */
function failure(change: Partial<UpstreamFailure>): UpstreamFailure {
  const plain = { code: 'reset', phase: 'head', detail: '', raced: false } as const;
  return { ...plain, sent: true, answered: false, ...change };
}

function mayRetry(change: Partial<UpstreamFailure>, facts: Partial<RetryFacts> = {}): boolean {
  return mayRetryFailure(failure(change), {
    replayable: true,
    attempts: 1,
    method: 'POST',
    ...facts,
  });
}

describe('the wait before a retry', () => {
  it('is jittered by the status: 200 to 600 ms for 429, 1 to 3 s for 503 and 529', () => {
    for (const [status, min, max] of [
      [429, 200, 600],
      [503, 1000, 3000],
      [529, 1000, 3000],
    ] as const) {
      assert.equal(
        backoffMs(status, null, () => 0),
        min,
      );
      assert.equal(
        backoffMs(status, null, () => 1 - 2 ** -53),
        max,
      );
      const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
      const property = fc.property(unit, (random) => {
        const ms = backoffMs(status, null, () => random);
        assert(ms !== null && Number.isInteger(ms) && ms >= min && ms <= max);
      });
      fc.assert(property);
    }
  });

  it('is what the answer asks for, up to the bound; above it there is none', () => {
    const random = (): number => assert.fail('no jitter where the answer says how long');
    for (const status of [429, 503, 529]) {
      assert.equal(backoffMs(status, 0, random), 0);
      assert.equal(backoffMs(status, 4321, random), 4321);
      assert.equal(backoffMs(status, BACKOFF_MS_MAX, random), BACKOFF_MS_MAX);
      assert.equal(backoffMs(status, BACKOFF_MS_MAX + 1, random), null);
    }
  });

  it('is none for any other status', () => {
    for (const status of [200, 400, 401, 408, 500, 502, 504, 520]) {
      assert.equal(
        backoffMs(status, null, () => 0),
        null,
      );
      assert.equal(
        backoffMs(status, 1000, () => 0),
        null,
      );
    }
  });
});

describe('the race with the idle timer of the upstream', () => {
  it('needs a connection that rested, and a break at once', () => {
    assert.equal(isIdleRace(POOL_IDLE_MS_MIN, 0), true);
    assert.equal(isIdleRace(90_000, POOL_RACE_MS_MAX), true);
    assert.equal(isIdleRace(90_000, POOL_RACE_MS_MAX + 1), false, 'somebody may have read it');
    assert.equal(isIdleRace(POOL_IDLE_MS_MIN - 1, 0), false, 'no idle timer is that short');
    assert.equal(isIdleRace(null, 0), false, 'a new connection');
  });
});

describe('a failed attempt', () => {
  it('is made again where the upstream says that it did not process it', () => {
    assert.equal(mayRetry({ code: 'not_processed' }), true);
  });

  it('is made again where the connection ended before a byte of the request left', () => {
    assert.equal(mayRetry({ sent: false }), true);
    assert.equal(mayRetry({ code: 'closed', phase: 'send', sent: false }), true);
    assert.equal(mayRetry({ code: 'reset', phase: 'tls', sent: false }), true);
    assert.equal(mayRetry({ code: 'protocol', phase: 'connect', sent: false }), true);
  });

  it('is made again where it met the idle timer of the upstream', () => {
    assert.equal(mayRetry({ raced: true }), true);
    assert.equal(mayRetry({ raced: true, code: 'closed' }), true);
  });

  it('is not made again where a fresh connection ended after a POST had begun to leave', () => {
    assert.equal(mayRetry({}), false);
    assert.equal(mayRetry({ code: 'closed' }), false);
    assert.equal(mayRetry({ code: 'protocol' }), false);
    assert.equal(mayRetry({ code: 'protocol', raced: true }), false);
  });

  it('is made again where the method is safe and the connection ended', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) {
      assert.equal(mayRetry({}, { method }), true);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'get']) {
      assert.equal(mayRetry({}, { method }), false);
    }
  });

  it('is never made again after a byte of an answer, from a body that is gone, or too often', () => {
    const any = fc.record({
      code: fc.constantFrom(...CODES),
      phase: fc.constantFrom('connect', 'tls', 'send', 'head', 'body'),
      detail: fc.constant(''),
      raced: fc.boolean(),
      sent: fc.boolean(),
      answered: fc.boolean(),
    }) as fc.Arbitrary<UpstreamFailure>;
    const method = fc.constantFrom('GET', 'POST');
    const property = fc.property(
      any,
      method,
      fc.nat(3),
      fc.boolean(),
      (failed, name, more, replayable) => {
        const attempts = 1 + more;
        const again = mayRetryFailure(failed, { replayable, attempts, method: name });
        if (failed.answered || !replayable || attempts >= ATTEMPTS_MAX) assert.equal(again, false);
        const harmless = !failed.sent || failed.raced || failed.code === 'not_processed';
        const early = failed.phase === 'connect' || failed.phase === 'tls';
        if (again) assert(harmless || early || name === 'GET');
      },
    );
    fc.assert(property, { numRuns: 1000 });
  });

  it('is not made again where a second try at once would only repeat it', () => {
    const hopeless = ['dns', 'refused', 'unreachable', 'certificate', 'tls'] as const;
    for (const code of [...hopeless, 'connect_timeout', 'head_timeout', 'idle_timeout'] as const) {
      assert.equal(mayRetry({ code, phase: 'connect', sent: false }), false, code);
      assert.equal(mayRetry({ code, raced: true }, { method: 'GET' }), false, code);
    }
  });
});

describe('the class of an exchange in the ledger', () => {
  it('is none for an answer that is no error', () => {
    for (const status of [null, 101, 200, 204, 304]) assert.equal(errTypeOf(status, null), null);
  });

  it('is told by the status', () => {
    assert.equal(errTypeOf(401, null), '401');
    assert.equal(errTypeOf(429, null), '429');
    for (const status of [400, 403, 404, 408, 413, 434, 499]) {
      assert.equal(errTypeOf(status, null), '4xx');
    }
    for (const status of [500, 502, 503, 529, 599]) assert.equal(errTypeOf(status, null), '5xx');
  });

  it('is told by the failure before the status', () => {
    for (const code of CODES) {
      const type = code.endsWith('_timeout') ? 'timeout' : 'net';
      for (const status of [null, 200, 502])
        assert.equal(errTypeOf(status, failure({ code })), type);
    }
  });
});
