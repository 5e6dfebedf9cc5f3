import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { checkClock, checkLedger, checkNode } from './machine.ts';
import { checkTraps } from './traps.ts';

const CANARY = 'canary-value-0123456789';

function messages(variables: Record<string, string>): string[] {
  const facts = { variables, intercept: ['api.anthropic.com'], port: 8082 };
  const findings = checkTraps(facts);
  for (const finding of findings) {
    assert.equal(finding.mend === null, finding.level === 'ok', 'each trap has its mend');
    assert.doesNotMatch(JSON.stringify(finding), new RegExp(CANARY), 'no value is shown');
  }
  return findings.filter((finding) => finding.level !== 'ok').map((finding) => finding.message);
}

test('a clean environment has no trap', () => {
  assert.deepEqual(messages({}), []);
  assert.deepEqual(messages({ ANTHROPIC_BASE_URL: '', NO_PROXY: 'localhost' }), []);
});

test('each trap is found, and its value is not shown', () => {
  assert.match(messages({ ANTHROPIC_BASE_URL: `http://${CANARY}` })[0] ?? '', /ANTHROPIC_BASE_URL/);
  assert.match(messages({ ANTHROPIC_AUTH_TOKEN: CANARY })[0] ?? '', /ANTHROPIC_AUTH_TOKEN/);
  assert.match(messages({ no_proxy: '.anthropic.com' })[0] ?? '', /no_proxy/);
  assert.match(
    messages({ HTTPS_PROXY: `http://u:${CANARY}@proxy:3128` })[0] ?? '',
    /another proxy/,
  );
  assert.match(messages({ HTTPS_PROXY: 'http://127.0.0.1:8082' })[0] ?? '', /TLS will fail/);
  assert.match(messages({ NODE_EXTRA_CA_CERTS: `/absent/${CANARY}` })[0] ?? '', /can not be read/);
  assert.match(messages({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })[0] ?? '', /any certificate/);
});

test('a shell that uses the proxy as env says has no trap', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lk-traps-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'ca.pem');
  writeFileSync(path, '-----BEGIN CERTIFICATE-----\n');
  assert.deepEqual(
    messages({ HTTPS_PROXY: 'http://127.0.0.1:8082', NODE_EXTRA_CA_CERTS: path }),
    [],
  );
});

test('an old Node, a wrong clock and a ledger that can not be written are errors', (t) => {
  assert.equal(checkNode('22.18.0').level, 'error');
  assert.equal(checkNode('22.19.0').level, 'ok');
  assert.equal(checkNode('26.0.0').level, 'ok');
  assert.equal(checkClock(0).level, 'error');
  assert.equal(checkClock().level, 'ok');
  const folder = mkdtempSync(join(tmpdir(), 'lk-ledger-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  assert.notEqual(checkLedger(folder).level, 'error');
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  assert.equal(checkLedger(join(file, 'home')).level, 'error');
});
