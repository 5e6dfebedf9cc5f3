/** The archive: what is in it and what is not, to the byte, as any tar reads it; and when there is none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { type BundledFile, writeBundle } from './bundle.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

interface Cleanup {
  after(run: () => Promise<void>): void;
}

const NOW = Date.UTC(2026, 10, 26, 12);
const SECRETS = [{ name: 'ZAI_API_KEY', value: 'fake-zai-key-of-tests-0123' }];

async function folder(t: Cleanup): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'lanekeeper-bundle-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function write(home: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), content);
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const EVIDENCE = {
  'logs/usage.jsonl': '{"ts":1}\n'.repeat(40_000),
  'logs/usage-20261101T000000000Z.jsonl': '{"ts":0}\n',
  'logs/anomalies.jsonl': '',
  'results/METRICS.json': '{}',
  'results/SESSION.json': '{}',
  'docs/SESSION_HANDOFF.md': '# Handoff\n',
  'docs/P0-EXIT-CRITERIA.md': '# Criteria\n',
  'VERSIONS.json': '{}',
  'lanekeeper.yaml': 'lanes: {}\n',
};

const PRIVATE = {
  '.env': 'ZAI_API_KEY=fake-zai-key-of-tests-0123\n',
  'ca/leaf-key.pem': '-----BEGIN PRIVATE KEY-----\n',
  'ca/ca-cert.pem': 'certificate',
  'ab/http2-a/ca/leaf-key.pem': '-----BEGIN PRIVATE KEY-----\n',
  'logs/body-samples.jsonl': '{"ts":1,"body":"private"}\n',
  'logs/body-samples-20261101T000000000Z.jsonl': '{"ts":1,"body":"private"}\n',
  'run/state': 'x',
  'bundle/lanekeeper-20261101T000000000Z.tgz': 'x',
  'src/other.ts': 'x',
  // In a checkout the home has documents of its own, which may show the keys of simulations.
  'docs/other.md': 'fake-zai-key-of-tests-0123',
};

test('a bundle has all the evidence and nothing private, each file with its hash', async (t) => {
  const home = await folder(t);
  write(home, { ...EVIDENCE, ...PRIVATE });
  const made = await writeBundle(home, SECRETS, NOW);
  assert.equal(made.path, join(home, 'bundle', 'lanekeeper-20261126T120000000Z.tgz'));
  assert.deepEqual(made.files.map((file) => file.path).sort(), Object.keys(EVIDENCE).sort());
  assert.equal(readFileSync(made.path).length, made.bytes);

  const into = await folder(t);
  execFileSync('tar', ['-xzf', made.path, '-C', into]);
  const manifest = JSON.parse(readFileSync(join(into, 'MANIFEST.json'), 'utf8')) as {
    files: BundledFile[];
  };
  assert.deepEqual(manifest.files, made.files);
  for (const { path, bytes, sha256: hash } of manifest.files) {
    const content = readFileSync(join(into, path));
    assert.deepEqual(content, readFileSync(join(home, path)), path);
    assert.deepEqual([content.length, sha256(content)], [bytes, hash], path);
  }
  const extracted = readdirSync(into, { recursive: true, withFileTypes: true });
  assert.equal(extracted.filter((entry) => entry.isFile()).length, manifest.files.length + 1);
});

describe('no bundle is written', () => {
  for (const [what, files, reason] of [
    [
      'where a secret stands in a file, which is named with its line',
      { 'logs/lanekeeper.log': 'one\n{"key":"fake-zai-key-of-tests-0123"}\n' },
      /no bundle was written.*\n {2}logs\/lanekeeper\.log:2 holds ZAI_API_KEY\n/,
    ],
    [
      'where a file that a person wrote holds what looks like a key',
      { 'lanekeeper.yaml': 'key: sk-ant-fake-0123456789\n' },
      /\n {2}lanekeeper\.yaml:1 holds a key of Anthropic\n/,
    ],
    [
      'where a file can not be searched',
      { 'logs/usage-20261101T000000000Z.jsonl.gz': 'no gzip' },
      /usage-20261101T000000000Z\.jsonl\.gz can not be searched/,
    ],
  ] as const) {
    test(what, async (t) => {
      const home = await folder(t);
      write(home, { ...EVIDENCE, ...files });
      await assert.rejects(writeBundle(home, SECRETS, NOW), (error: Error) => {
        assert.equal(error.name, 'SessionError');
        assert.match(error.message, reason);
        assert.doesNotMatch(error.message, /0123/);
        return true;
      });
      assert(!existsSync(join(home, 'bundle')));
    });
  }

  test('where there is nothing', async (t) => {
    const home = await folder(t);
    await assert.rejects(writeBundle(home, SECRETS, NOW), /there is nothing to archive below/);
  });
});

test('the system’s tar reads what is written, whatever the names and sizes', async (t) => {
  const below = await folder(t);
  let runs = 0;
  const part = fc.string({ unit: fc.constantFrom(...'abcü-_.0'), minLength: 1, maxLength: 40 });
  const names = fc
    .array(part, { minLength: 1, maxLength: 6 })
    .map((parts) => parts.map((one) => `n${one}`).join('/'));
  const files = fc.uniqueArray(fc.tuple(names, fc.uint8Array({ maxLength: 1_600 })), {
    // One name must not be a folder of another.
    selector: ([name]) => name.split('/')[0],
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(files, (entries) => {
      runs += 1;
      const into = join(below, String(runs));
      mkdirSync(into);
      const parts = entries.flatMap(([name, bytes]) => [
        tarHeader({ name, bytes: bytes.length, changed: 1_795_000_000.5 }),
        Buffer.from(bytes),
        tarPadding(bytes.length),
      ]);
      execFileSync('tar', ['-xf', '-', '-C', into], { input: Buffer.concat([...parts, tarEnd()]) });
      for (const [name, bytes] of entries) {
        assert.deepEqual(readFileSync(join(into, name)), Buffer.from(bytes), name);
      }
    }),
    { numRuns: 40 },
  );
});

test('a name that leaves the archive, or has no room in it, is refused', () => {
  const header = (name: string) => () => tarHeader({ name, bytes: 0, changed: 0 });
  assert.throws(header('/etc/passwd'), /a name stays in its archive/);
  assert.throws(header('a/../../b'), /a name stays in its archive/);
  assert.throws(header('x'.repeat(101)), RangeError);
  assert.throws(header(`${'x'.repeat(156)}/${'y'.repeat(100)}`), RangeError);
  assert.equal(header(`${'x'.repeat(155)}/${'y'.repeat(100)}`)().length, 512);
});
