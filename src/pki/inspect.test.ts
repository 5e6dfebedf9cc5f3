import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { mintServer } from './authority.ts';
import { inspectAuthority } from './inspect.ts';
import { openAuthority, rotateAuthority } from './store.ts';

const HOSTS = ['api.anthropic.com'];
const CONSTRAINTS = 'critical; permitted DNS:api.anthropic.com; excluded IP:0.0.0.0/0, IP:::/0';
const DAY = 24 * 60 * 60_000;
const root = mkdtempSync(join(tmpdir(), 'lanekeeper-inspect-'));
after(() => rmSync(root, { recursive: true }));

let stores = 0;
function freshDir(): string {
  stores += 1;
  return join(root, `ca-${stores}`);
}

const codes = async (dir: string, now = new Date()) =>
  (await inspectAuthority(dir, { now })).problems.map(({ code }) => code);

test('a store that is not there yet is told as absent, without a problem', async () => {
  const facts = await inspectAuthority(freshDir());
  assert.equal(facts.present, false);
  assert.deepEqual(facts.problems, []);
  assert.deepEqual(
    facts.files.map(({ mode }) => mode),
    [null, null, null, null],
  );
});

test('a good store is told with its hosts, dates, constraints, bundle and modes', async () => {
  const dir = freshDir();
  const first = await openAuthority(dir, HOSTS);
  const second = await rotateAuthority(dir, HOSTS);
  const facts = await inspectAuthority(dir);
  assert.equal(facts.present, true);
  assert.deepEqual(facts.problems, []);
  assert.deepEqual(facts.hosts, HOSTS);
  assert.equal(facts.fingerprint256, second.fingerprint256);
  assert.deepEqual(facts.notAfter, second.notAfter);
  assert.equal(facts.constraints, CONSTRAINTS);
  assert.deepEqual(
    facts.bundle.map(({ fingerprint256, constraints, current }) => [
      fingerprint256,
      constraints,
      current,
    ]),
    [
      [second.fingerprint256, CONSTRAINTS, true],
      [first.fingerprint256, CONSTRAINTS, false],
    ],
  );
  assert.match(facts.bundle[0]?.subject ?? '', /^O=Lanekeeper, CN=Lanekeeper local CA /);
  assert.deepEqual(
    facts.files.map(({ mode }) => mode),
    ['0700', '0644', '0600', '0600'],
  );
});

test('everything that is wrong is told at once', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  chmodSync(dir, 0o755);
  chmodSync(join(dir, 'leaf-key.pem'), 0o644);
  writeFileSync(join(dir, 'leaf-cert.pem'), 'nonsense');
  const facts = await inspectAuthority(dir);
  assert.deepEqual(
    facts.problems.map(({ code }) => code),
    ['loose_mode', 'loose_mode', 'damaged'],
  );
  assert.equal(facts.present, true);
  assert.equal(facts.fingerprint256, null);
});

test('the end of an authority is told before it comes', async () => {
  const dir = freshDir();
  await openAuthority(dir, HOSTS);
  const at = (days: number) => new Date(Date.now() + days * DAY);
  assert.deepEqual(await codes(dir, at(365)), []);
  assert.deepEqual(await codes(dir, at(367)), ['expiring']);
  assert.deepEqual(await codes(dir, at(397)), ['expired']);
  assert.deepEqual(await codes(dir, at(-2)), ['not_yet_valid']);
});

test('an authority in the bundle that may sign for any name is told', async () => {
  const dir = freshDir();
  const { bundlePath } = await openAuthority(dir, HOSTS);
  const foreign = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
  appendFileSync(bundlePath, foreign.caCertPem);
  assert.deepEqual(await codes(dir), ['unconstrained']);
});
