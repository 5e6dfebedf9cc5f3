import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';

import { Secret } from '../core/secret.ts';
import { clientEnvironment, proxyUrl, splitBypass, withChanges } from './environment.ts';

const INTERCEPT = ['api.anthropic.com'];

function changesFor(base: Record<string, string>) {
  return clientEnvironment({
    base,
    url: 'http://127.0.0.1:1',
    trust: '/ca.pem',
    intercept: INTERCEPT,
  });
}

test('a client gets the proxy and the trust, and loses what leads around it', () => {
  const base = { ANTHROPIC_BASE_URL: 'http://x', ANTHROPIC_AUTH_TOKEN: 't', CLAUDE_CODE_X: 'kept' };
  assert.deepEqual(withChanges(base, changesFor(base)), {
    CLAUDE_CODE_X: 'kept',
    HTTPS_PROXY: 'http://127.0.0.1:1',
    https_proxy: 'http://127.0.0.1:1',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
  });
});

test('entries of NO_PROXY that cover an intercepted host are left out, and said', () => {
  const changes = changesFor({ NO_PROXY: 'localhost, .anthropic.com 10.0.0.1', no_proxy: '*' });
  assert.equal(changes.set['NO_PROXY'], 'localhost,10.0.0.1');
  assert.ok(changes.unset.includes('no_proxy'));
  assert.equal(changes.notes.length, 2);
  assert.match(changes.notes[0] ?? '', /\.anthropic\.com/);
});

test('a NO_PROXY that covers no intercepted host stays as it is', () => {
  const base = { NO_PROXY: 'localhost,example.com,notanthropic.com,api.anthropic.com:8443' };
  assert.deepEqual(changesFor(base).notes, []);
  assert.equal(withChanges(base, changesFor(base))['NO_PROXY'], base.NO_PROXY);
});

test('every spelling of a bypass is found', () => {
  const spellings = [
    '*',
    'com',
    '.com',
    'anthropic.com',
    '.anthropic.com',
    '*.anthropic.com',
    'api.anthropic.com',
    'API.Anthropic.COM',
    'api.anthropic.com:443',
  ];
  for (const spelling of spellings) {
    assert.deepEqual(splitBypass(spelling, INTERCEPT).removed, [spelling], spelling);
  }
});

test('splitting loses no entry', () => {
  const entry = fc.stringMatching(/^[a-z*.:0-9]{1,12}$/);
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const { kept, removed } = splitBypass(entries.join(', '), INTERCEPT);
      assert.deepEqual([...kept, ...removed].sort(), [...entries].sort());
    }),
  );
});

test('the address of the proxy is one that clients can use', () => {
  assert.equal(proxyUrl({ host: '0.0.0.0', port: 8082 }, null), 'http://127.0.0.1:8082');
  assert.equal(proxyUrl({ host: '::1', port: 8082 }, null), 'http://[::1]:8082');
  const token = Secret.of('to/k:n@1');
  const url = new URL(proxyUrl({ host: '10.0.0.5', port: 8082 }, token));
  assert.equal(url.host, '10.0.0.5:8082');
  assert.equal(url.username, 'lanekeeper');
  assert.equal(decodeURIComponent(url.password), 'to/k:n@1');
});
