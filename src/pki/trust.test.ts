import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mintServer } from './authority.ts';
import { openAuthority, rotateAuthority } from './store.ts';
import { certificateBlocks } from './triple.ts';
import { combineTrust } from './trust.ts';

const HOSTS = ['api.anthropic.com'];
const root = mkdtempSync(join(tmpdir(), 'lanekeeper-trust-'));
after(() => rmSync(root, { recursive: true }));
const dir = join(root, 'ca');
const { bundlePath } = await openAuthority(dir, HOSTS);
const theirs = await mintServer({ names: ['corp.example'], ips: [], now: new Date() });

const fingerprints = (path: string) =>
  certificateBlocks(readFileSync(path, 'utf8')).map((b) => new X509Certificate(b).fingerprint256);

function userFile(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

test('without a file of the user the bundle itself is the trust', async () => {
  const link = join(root, 'link.pem');
  symlinkSync(bundlePath, link);
  mkdirSync(join(root, 'folder'));
  for (const extra of [
    undefined,
    '',
    bundlePath,
    link,
    join(root, 'absent.pem'),
    join(root, 'folder'),
    userFile('empty.pem', ''),
    userFile('nonsense.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
    userFile('copy.pem', readFileSync(bundlePath, 'utf8')),
  ]) {
    assert.equal(await combineTrust(dir, bundlePath, extra), bundlePath);
  }
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.startsWith('trust-')),
    [],
  );
});

test('with a file of the user both stand in one, without what else it held', async () => {
  const extra = userFile('extra.pem', `# ours\n${theirs.keyPem}${theirs.caCertPem}garbage`);
  const path = await combineTrust(dir, bundlePath, extra);
  assert.notEqual(path, bundlePath);
  assert.deepEqual(fingerprints(path), [...fingerprints(bundlePath), ...fingerprints(extra)]);
  assert.ok(!readFileSync(path, 'utf8').includes('PRIVATE KEY'));
  assert.equal(statSync(path).mode & 0o777, 0o644);
});

test('a certificate that cannot be read does not hide the ones behind it', async () => {
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const path = await combineTrust(dir, bundlePath, userFile('bad.pem', bad + theirs.caCertPem));
  assert.equal(fingerprints(path).length, 2);
});

test('combining again gives the same file, also from the combined file itself', async () => {
  const extra = userFile('again.pem', theirs.caCertPem);
  const path = await combineTrust(dir, bundlePath, extra);
  assert.equal(await combineTrust(dir, bundlePath, extra), path);
  assert.equal(await combineTrust(dir, bundlePath, path), path);
});

test('the current authority comes first after a rotation', async () => {
  const extra = userFile('rotated.pem', theirs.caCertPem);
  const before = await combineTrust(dir, bundlePath, extra);
  const { fingerprint256 } = await rotateAuthority(dir, HOSTS);
  const path = await combineTrust(dir, bundlePath, before);
  assert.equal(fingerprints(path)[0], fingerprint256);
  assert.equal(fingerprints(path).length, 3);
});

test('a bounded number of combined files is kept, the one just asked for among them', async () => {
  const other = join(root, 'other');
  let last = '';
  for (let i = 0; i < 10; i += 1) {
    const { caCertPem } = await mintServer({ names: ['a.example'], ips: [], now: new Date() });
    last = await combineTrust(other, bundlePath, userFile('many.pem', caCertPem));
  }
  assert.equal(readdirSync(other).length, 8);
  assert.ok(statSync(last).isFile());
});

test('a bundle that is missing is an error that names it', async () => {
  const absent = join(root, 'no-bundle.pem');
  const extra = userFile('theirs.pem', theirs.caCertPem);
  await assert.rejects(combineTrust(dir, absent, extra), /no-bundle\.pem/);
});
