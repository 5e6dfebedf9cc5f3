import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE_DETAIL_CHARS_MAX } from '../core/limits.ts';
import { brokenConnection, connectFailure, errorDetail, tlsFailure } from './failure.ts';

const errno = (code: string): Error => Object.assign(new Error(`${code} happened`), { code });

test('errors of the system have stable codes', () => {
  for (const [code, expected] of [
    ['ENOTFOUND', 'dns'],
    ['EAI_AGAIN', 'dns'],
    ['ECONNREFUSED', 'refused'],
    ['EHOSTUNREACH', 'unreachable'],
    ['ENETUNREACH', 'unreachable'],
    ['ETIMEDOUT', 'connect_timeout'],
    ['ECONNRESET', 'reset'],
    ['EADDRNOTAVAIL', 'unreachable'],
    ['EMFILE', 'no_descriptor'],
  ] as const) {
    assert.equal(connectFailure(errno(code)).code, expected);
  }
  assert.equal(tlsFailure(errno('ERR_SSL_WRONG_VERSION_NUMBER'), false).code, 'tls');
  assert.equal(tlsFailure(errno('UNSPECIFIED'), true).code, 'certificate');
  assert.equal(brokenConnection(errno('EPIPE')), 'reset');
  assert.equal(brokenConnection(errno('ETIMEDOUT')), 'reset');
  assert.equal(brokenConnection(errno('EHOSTUNREACH')), 'unreachable');
  assert.equal(brokenConnection(errno('ERR_SSL_DECRYPTION_FAILED')), 'tls');
  assert.equal(brokenConnection(errno('ERR_HTTP2_ERROR')), 'protocol');
});

test('a detail is bounded and printable', () => {
  assert.equal(errorDetail(new Error('a\r\nb\x00')), 'a b ');
  assert.equal(errorDetail(errno('x'.repeat(1000))).length, FAILURE_DETAIL_CHARS_MAX);
  assert.equal(errorDetail(undefined), '');
});
