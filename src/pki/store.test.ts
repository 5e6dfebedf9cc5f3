import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mintAuthority, mintServer } from './authority.ts';
import { PkiError, type PkiErrorCode } from './errors.ts';
import { type Authority, openAuthority, removeAuthority, rotateAuthority } from './store.ts';
import { certificateBlocks } from './triple.ts';

const HOSTS = ['api.anthropic.com'];
const FILES = ['ca-cert.pem', 'leaf-cert.pem', 'leaf-key.pem'];
const DAY = 24 * 60 * 60_000;
const root = mkdtempSync(join(tmpdir(), 'lanekeeper-store-'));
after(() => rmSync(root, { recursive: true }));

let stores = 0;
function freshDir(): string {
  stores += 1;
  return join(root, `home ${stores}`, 'ca');
}

const mode = (...path: string[]) => statSync(join(...path)).mode & 0o777;
const later = (days: number) => new Date(Date.now() + days * DAY);
const bundleOf = (authority: Authority) =>
  certificateBlocks(readFileSync(authority.bundlePath, 'utf8')).map(
    (block) => new X509Certificate(block).fingerprint256,
  );

function assertConsistent(dir: string): void {
  const [ca = '', leaf = '', key = ''] = FILES.map((name) => readFileSync(join(dir, name), 'utf8'));
  const certificate = new X509Certificate(leaf);
  assert.ok(certificate.checkPrivateKey(createPrivateKey(key)));
  assert.ok(certificate.verify(new X509Certificate(ca).publicKey));
}

function pkiError(code: PkiErrorCode, ...texts: readonly string[]) {
  return (error: unknown) => {
    assert.ok(error instanceof PkiError);
    assert.equal(error.code, code);
    for (const text of texts) assert.ok(error.message.includes(text), error.message);
    assert.ok(!error.message.includes('PRIVATE'));
    return true;
  };
}

test('the first opening makes the files and says nothing', async () => {
  const dir = freshDir();
  const authority = await openAuthority(dir, HOSTS);
  assert.deepEqual(authority.hosts, HOSTS);
  assert.equal(authority.bundlePath, join(dir, 'ca-cert.pem'));
  assert.deepEqual(authority.notes, []);
  assert.deepEqual(readdirSync(dir).sort(), FILES);
  assert.equal(readFileSync(join(dir, 'leaf-cert.pem'), 'utf8'), authority.leafCertPem);
  assert.equal(readFileSync(join(dir, 'leaf-key.pem'), 'utf8'), authority.leafKeyPem);
  assertConsistent(dir);
});

test('the next opening takes the same authority and changes no file', async () => {
  const dir = freshDir();
  const first = await openAuthority(dir, HOSTS);
  const stamps = FILES.map((name) => statSync(join(dir, name)).mtimeMs);
  assert.deepEqual(await openAuthority(dir, ['API.anthropic.com']), first);
  assert.deepEqual(
    FILES.map((name) => statSync(join(dir, name)).mtimeMs),
    stamps,
  );
});

test('opening good files loads no X.509 library', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  const script = `
    import { createRequire } from 'node:module';
    import { openAuthority } from ${JSON.stringify(new URL('store.ts', import.meta.url).href)};
    await openAuthority(${JSON.stringify(dir)}, ${JSON.stringify(HOSTS)});
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    console.log(loaded.filter((path) => path.includes('asn1')).length);`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  assert.equal(stdout, '0\n');
});

for (const umask of [0, 0o077, 0o777]) {
  test(`modes are right under umask ${umask.toString(8)}`, async () => {
    const dir = freshDir();
    mkdirSync(join(dir, '..'));
    const before = process.umask(umask);
    try {
      await openAuthority(dir, HOSTS);
      await rotateAuthority(dir, HOSTS);
    } finally {
      process.umask(before);
    }
    assert.equal(mode(dir), 0o700);
    assert.deepEqual(
      FILES.map((name) => mode(dir, name)),
      [0o644, 0o600, 0o600],
    );
  });
}

test('the only private key on disk is the leaf key', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  await openAuthority(dir, [...HOSTS, 'b.example']);
  await rotateAuthority(dir, HOSTS);
  const holders = readdirSync(dir).filter((name) =>
    readFileSync(join(dir, name), 'utf8').includes('PRIVATE KEY'),
  );
  assert.deepEqual(holders, ['leaf-key.pem']);
  assert.equal(readFileSync(join(dir, 'leaf-key.pem'), 'utf8').match(/BEGIN/g)?.length, 1);
});

test('another host set makes a new authority and keeps the former in the bundle', async () => {
  const dir = freshDir();
  const first = await openAuthority(dir, HOSTS);
  const second = await openAuthority(dir, [...HOSTS, 'b.example']);
  assert.deepEqual(second.hosts, ['api.anthropic.com', 'b.example']);
  assert.deepEqual(bundleOf(second), [second.fingerprint256, first.fingerprint256]);
  assert.match(second.notes.join('\n'), /hosts have changed.*restart agents/);
  assertConsistent(dir);
});

test('an authority near its end is replaced 30 days before it', async () => {
  const dir = freshDir();
  const first = await openAuthority(dir, HOSTS);
  const same = await openAuthority(dir, HOSTS, { now: later(365) });
  assert.equal(same.fingerprint256, first.fingerprint256);
  const second = await openAuthority(dir, HOSTS, { now: later(367) });
  assert.notEqual(second.fingerprint256, first.fingerprint256);
  assert.deepEqual(bundleOf(second), [second.fingerprint256, first.fingerprint256]);
  assert.match(second.notes.join('\n'), /ends soon/);
});

test('an authority dated in the future is replaced', async () => {
  const dir = freshDir();
  const first = await openAuthority(dir, HOSTS, { now: later(10) });
  assert.notEqual((await openAuthority(dir, HOSTS)).fingerprint256, first.fingerprint256);
});

test('the bundle keeps at most three former authorities, none that has ended', async () => {
  const dir = freshDir();
  const made: string[] = [];
  for (let i = 0; i < 6; i += 1) made.unshift((await rotateAuthority(dir, HOSTS)).fingerprint256);
  const last = await openAuthority(dir, HOSTS);
  assert.deepEqual(bundleOf(last), made.slice(0, 4));
  const fresh = await openAuthority(dir, HOSTS, { now: later(500) });
  assert.deepEqual(bundleOf(fresh), [fresh.fingerprint256]);
});

test('a foreign authority in the bundle is not carried over', async () => {
  const dir = freshDir();
  const first = await openAuthority(dir, HOSTS);
  const foreign = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
  appendFileSync(first.bundlePath, foreign.caCertPem);
  const second = await rotateAuthority(dir, HOSTS);
  assert.deepEqual(bundleOf(second), [second.fingerprint256, first.fingerprint256]);
});

test('a key that others may read is refused, with the mend, and left as it is', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  const key = join(dir, 'leaf-key.pem');
  chmodSync(key, 0o640);
  const refusal = pkiError('loose_mode', key, '0640', `chmod 600 '${key}'`);
  await assert.rejects(openAuthority(dir, HOSTS), refusal);
  await assert.rejects(rotateAuthority(dir, HOSTS), refusal);
  assert.equal(mode(key), 0o640);
});

test('a folder that others may enter, and certificates that others may write, are refused', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  for (const [name, loose, right] of [
    ['.', 0o755, 0o700],
    ['ca-cert.pem', 0o664, 0o644],
    ['leaf-cert.pem', 0o602, 0o600],
  ] as const) {
    chmodSync(join(dir, name), loose);
    await assert.rejects(
      openAuthority(dir, HOSTS),
      pkiError('loose_mode', `chmod ${right.toString(8)}`),
    );
    chmodSync(join(dir, name), right);
  }
  await openAuthority(dir, HOSTS);
});

test('every file that is damaged is named, with the mend, and rotating mends it', async () => {
  const cases: readonly [string, string, PkiErrorCode][] = [
    ['ca-cert.pem', 'nonsense', 'damaged'],
    ['ca-cert.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'damaged'],
    ['leaf-cert.pem', '', 'damaged'],
    ['leaf-cert.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n', 'damaged'],
    ['leaf-key.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n', 'damaged'],
  ];
  for (const [name, text, code] of cases) {
    const dir = freshDir();
    await openAuthority(dir, HOSTS);
    writeFileSync(join(dir, name), text);
    await assert.rejects(
      openAuthority(dir, HOSTS),
      pkiError(code, join(dir, name), 'lanekeeper ca rotate'),
    );
    assert.equal(readFileSync(join(dir, name), 'utf8'), text);
    await rotateAuthority(dir, HOSTS);
    assertConsistent(dir);
    await openAuthority(dir, HOSTS);
  }
});

test('a bundle that is cut short is damaged, also behind the first certificate', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  await rotateAuthority(dir, HOSTS);
  const path = join(dir, 'ca-cert.pem');
  writeFileSync(path, readFileSync(path, 'utf8').slice(0, -100));
  await assert.rejects(openAuthority(dir, HOSTS), pkiError('damaged', path));
});

test('files that do not belong together are refused', async () => {
  const [one, other] = [freshDir(), freshDir()];
  await openAuthority(one, HOSTS);
  await openAuthority(other, HOSTS);
  for (const name of FILES) {
    const saved = readFileSync(join(one, name));
    copyFileSync(join(other, name), join(one, name));
    await assert.rejects(openAuthority(one, HOSTS), pkiError('mismatch', 'lanekeeper ca rotate'));
    writeFileSync(join(one, name), saved);
  }
  await openAuthority(one, HOSTS);
});

test('a missing file among the three is named', async () => {
  for (const name of FILES) {
    const dir = freshDir();
    await openAuthority(dir, HOSTS);
    rmSync(join(dir, name));
    await assert.rejects(
      openAuthority(dir, HOSTS),
      pkiError('incomplete', join(dir, name), 'lanekeeper ca rotate'),
    );
  }
});

/** A store with the complete set of a following authority written beside it, as before the moves. */
async function interrupted(): Promise<{ dir: string; first: Authority; next: Authority }> {
  const [dir, following] = [freshDir(), freshDir()];
  const first = await openAuthority(dir, HOSTS);
  mkdirSync(following, { recursive: true, mode: 0o700 });
  for (const name of FILES) copyFileSync(join(dir, name), join(following, name));
  const next = await rotateAuthority(following, HOSTS);
  for (const name of FILES) copyFileSync(join(following, name), join(dir, `${name}.new`));
  return { dir, first, next };
}

test('a replacement that was interrupted between two moves is completed', async () => {
  const order = ['ca-cert.pem', 'leaf-key.pem', 'leaf-cert.pem'];
  for (let moved = 1; moved < order.length; moved += 1) {
    const { dir, next } = await interrupted();
    for (const name of order.slice(0, moved)) {
      copyFileSync(join(dir, `${name}.new`), join(dir, name));
      rmSync(join(dir, `${name}.new`));
    }
    const opened = await openAuthority(dir, HOSTS);
    assert.equal(opened.fingerprint256, next.fingerprint256);
    assert.deepEqual(readdirSync(dir).sort(), FILES);
    assertConsistent(dir);
  }
});

test('a replacement that was interrupted while writing leaves the former authority good', async () => {
  const { dir, first } = await interrupted();
  writeFileSync(join(dir, 'leaf-key.pem.new'), '-----BEGIN PRIV');
  const opened = await openAuthority(dir, HOSTS);
  assert.equal(opened.fingerprint256, first.fingerprint256);
  const next = await rotateAuthority(dir, HOSTS);
  assert.deepEqual(bundleOf(next), [next.fingerprint256, first.fingerprint256]);
  assert.deepEqual(readdirSync(dir).sort(), FILES);
});

test('removing takes the files of the store and nothing else', async () => {
  const dir = freshDir();
  assert.deepEqual(await removeAuthority(dir), []);
  await openAuthority(dir, HOSTS);
  writeFileSync(join(dir, 'leaf-key.pem.new'), '');
  writeFileSync(join(dir, 'trust-0123456789abcdef.pem'), '');
  writeFileSync(join(dir, 'mine.pem'), '');
  const removed = await removeAuthority(dir);
  const expected = [...FILES, 'leaf-key.pem.new', 'trust-0123456789abcdef.pem'];
  assert.deepEqual([...removed].sort(), expected.map((name) => join(dir, name)).sort());
  assert.deepEqual(readdirSync(dir), ['mine.pem']);
  rmSync(join(dir, 'mine.pem'));
  assert.deepEqual(await removeAuthority(dir), [dir]);
  assert.ok(!existsSync(dir));
});

test('a store that cannot be written says so', async () => {
  const file = join(root, 'a-file');
  writeFileSync(file, '');
  await assert.rejects(openAuthority(join(file, 'ca'), HOSTS), PkiError);
});

test('a leaf with an address beside its hosts does not count as one for the hosts', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  const server = await mintServer({ names: HOSTS, ips: ['127.0.0.1'], now: new Date() });
  writeFileSync(join(dir, 'ca-cert.pem'), server.caCertPem);
  writeFileSync(join(dir, 'leaf-cert.pem'), server.certPem);
  writeFileSync(join(dir, 'leaf-key.pem'), server.keyPem);
  const opened = await openAuthority(dir, HOSTS);
  assert.deepEqual(bundleOf(opened), [opened.fingerprint256]);
  assert.equal(new X509Certificate(opened.leafCertPem).subjectAltName, `DNS:${HOSTS[0]}`);
});

test('what is minted twice differs', async () => {
  const now = new Date();
  const [one, other] = await Promise.all([
    mintAuthority({ hosts: HOSTS, now }),
    mintAuthority({ hosts: HOSTS, now }),
  ]);
  assert.notEqual(
    new X509Certificate(one.caCertPem).subject,
    new X509Certificate(other.caCertPem).subject,
  );
});
