/** The token at the plain port: every spelling that a client may send, and nothing of it left behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { proxyUrl } from '../cli/environment.ts';
import type { Field } from '../core/message.ts';
import { Secret } from '../core/secret.ts';
import { isTokenPresented, withoutOurCredentials } from './guards.ts';

const LISTEN = { host: '127.0.0.1', port: 8082 };
/** What a token may be made of: visible ASCII, whatever a URL makes of it. */
const TOKENS = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 200,
});

function basic(user: string, password: string, scheme = 'Basic'): Field {
  const pair = Buffer.from(`${user}:${password}`).toString('base64');
  return ['Proxy-Authorization', `${scheme} ${pair}`];
}

test('any token survives the address that clients are given, as they read it', () => {
  fc.assert(
    fc.property(TOKENS, (token) => {
      const url = new URL(proxyUrl(LISTEN, Secret.of(token)));
      assert.deepEqual([url.hostname, url.port, url.pathname], ['127.0.0.1', '8082', '/']);
      const login = basic(decodeURIComponent(url.username), decodeURIComponent(url.password));
      assert.ok(isTokenPresented([login], Secret.of(token)));
    }),
  );
});

test('what is not the token is not taken for it, however near or long', () => {
  fc.assert(
    fc.property(TOKENS, TOKENS, (token, other) => {
      const secret = Secret.of(token);
      for (const guess of [
        other,
        `${token}x`,
        token.slice(1),
        token.repeat(2),
        token.toUpperCase(),
      ]) {
        if (guess === token) continue;
        assert.ok(!isTokenPresented([['X-Lanekeeper-Token', guess]], secret));
        assert.ok(!isTokenPresented([basic('lanekeeper', guess)], secret));
      }
      // RFC 7617 section 2: a user holds no colon; what follows the first is the password.
      if (!token.includes(':')) assert.ok(!isTokenPresented([basic(token, '')], secret));
      assert.ok(!isTokenPresented([['Authorization', basic('a', token)[1]]], secret));
    }),
  );
});

test('only the field that counts is asked, and of several the first', () => {
  const token = Secret.of('canary-token-7');
  const right: Field = ['x-lanekeeper-TOKEN', 'canary-token-7'];
  const wrong: Field = ['X-Lanekeeper-Token', 'canary-token-8'];
  assert.ok(isTokenPresented([right, wrong], token));
  assert.ok(!isTokenPresented([wrong, right], token));
  assert.ok(isTokenPresented([basic('', 'canary-token-7', 'bASIC')], token));
  for (const value of [
    '',
    'Basic',
    'Basic ',
    'Basic !',
    'Bearer canary-token-7',
    'canary-token-7',
  ]) {
    assert.ok(!isTokenPresented([['Proxy-Authorization', value]], token), value);
  }
});

test('every field that could hold it goes, the others stay as they came', () => {
  const kept: Field[] = [
    ['Host', 'localhost'],
    ['Authorization', 'Bearer of the client'],
    ['X-Lanekeeper-Tokens', 'another'],
    ['Proxy-Authorizations', 'another'],
  ];
  const ours: Field[] = [
    ['x-lanekeeper-token', 'a'],
    ['X-LANEKEEPER-TOKEN', 'b'],
    ['Proxy-Authorization', 'Basic YTpi'],
    ['proxy-authorization', ''],
  ];
  for (let turn = 0; turn <= kept.length; turn += 1) {
    const mixed = [...kept.slice(0, turn), ...ours, ...kept.slice(turn), ...ours];
    assert.deepEqual(withoutOurCredentials(mixed), kept);
  }
  assert.equal(withoutOurCredentials(kept), kept);
});
