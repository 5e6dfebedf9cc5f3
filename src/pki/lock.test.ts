import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { threadId } from 'node:worker_threads';
import { PkiError } from './errors.ts';
import { withLock } from './lock.ts';
import { openAuthority } from './store.ts';

const root = mkdtempSync(join(tmpdir(), 'lanekeeper-lock-'));
after(() => rmSync(root, { recursive: true }));

let locks = 0;
function freshLock(): string {
  locks += 1;
  return join(root, `lock-${locks}`);
}

/** The id of a process that has ended. */
function deadPid(): number {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  return pid;
}

/** Runs a module in another process; resolves with what it printed. */
async function runElsewhere(script: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  await once(child, 'close');
  return output;
}

const store = JSON.stringify(new URL('store.ts', import.meta.url).href);

/** Opens a store eight times at once in another process; its leaf, key and fingerprint each time. */
function openEightTimes(dir: string): Promise<string> {
  return runElsewhere(`
    import { openAuthority } from ${store};
    const open = () => openAuthority(${JSON.stringify(dir)}, ['api.anthropic.com']);
    const all = await Promise.all(Array.from({ length: 8 }, open));
    console.log(JSON.stringify(all.map((a) => [a.fingerprint256, a.leafCertPem, a.leafKeyPem])));`);
}

function assertOneTriple(outputs: readonly string[]): void {
  const triples = outputs.flatMap((output) => JSON.parse(output) as [string, string, string][]);
  assert.equal(triples.length, outputs.length * 8);
  assert.equal(new Set(triples.map(([fingerprint]) => fingerprint)).size, 1);
  for (const [, leaf, key] of triples) {
    assert.ok(new X509Certificate(leaf).checkPrivateKey(createPrivateKey(key)));
  }
}

test('two processes that open an empty store at once get the same authority', async () => {
  const dir = join(root, 'empty');
  assertOneTriple(await Promise.all([openEightTimes(dir), openEightTimes(dir)]));
  assert.deepEqual(readdirSync(dir).sort(), ['ca-cert.pem', 'leaf-cert.pem', 'leaf-key.pem']);
});

test('two processes that find the lock of a dead one get the same authority', async () => {
  const dir = join(root, 'stale');
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(join(dir, '.lock'), `${deadPid()} 0\n`);
  assertOneTriple(await Promise.all([openEightTimes(dir), openEightTimes(dir)]));
  assert.deepEqual(readdirSync(dir).sort(), ['ca-cert.pem', 'leaf-cert.pem', 'leaf-key.pem']);
});

test('a reader gets files that belong together while another process keeps rotating', async () => {
  const dir = join(root, 'rotating');
  const hosts = ['api.anthropic.com'];
  await openAuthority(dir, hosts);
  let rotating = true;
  const rotation = runElsewhere(`
    import { rotateAuthority } from ${store};
    for (let i = 0; i < 15; i += 1) await rotateAuthority(${JSON.stringify(dir)}, ${JSON.stringify(hosts)});
  `).then(() => {
    rotating = false;
  });
  const seen = new Set<string>();
  while (rotating) {
    const authority = await openAuthority(dir, hosts);
    seen.add(authority.fingerprint256);
    const leaf = new X509Certificate(authority.leafCertPem);
    assert.ok(leaf.checkPrivateKey(createPrivateKey(authority.leafKeyPem)));
    // Good files are read without a turn of the event loop, which the end of the other process needs.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await rotation;
  assert.ok(seen.size > 1);
});

test('one at a time is inside, in the order of asking, and the lock is gone afterwards', async () => {
  const path = freshLock();
  const order: number[] = [];
  let inside = 0;
  await Promise.all(
    [0, 1, 2, 3].map((i) =>
      withLock(path, async () => {
        inside += 1;
        assert.equal(inside, 1);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(i);
        inside -= 1;
      }),
    ),
  );
  assert.deepEqual(order, [0, 1, 2, 3]);
  assert.ok(!existsSync(path));
});

test('work that fails gives the lock back', async () => {
  const path = freshLock();
  await assert.rejects(
    withLock(path, () => Promise.reject(new Error('no'))),
    /^Error: no$/,
  );
  assert.equal(await withLock(path, () => Promise.resolve(7)), 7);
});

test('a lock of a dead process, or of an earlier one with our id, is taken away', async () => {
  for (const holder of [`${deadPid()} 0\n`, `${process.pid} ${threadId}\n`]) {
    const path = freshLock();
    writeFileSync(path, holder);
    assert.equal(await withLock(path, () => Promise.resolve(7)), 7);
    assert.deepEqual([existsSync(path), existsSync(`${path}.break`)], [false, false]);
  }
});

test('a lock of a living process, or of nobody known, is respected and named', async () => {
  for (const holder of [`${process.ppid} 0\n`, '', 'garbage']) {
    const path = freshLock();
    writeFileSync(path, holder);
    await assert.rejects(
      withLock(path, () => Promise.resolve(), 0),
      (error) =>
        error instanceof PkiError && error.code === 'locked' && error.message.includes(path),
    );
    assert.ok(existsSync(path));
  }
});

test('a process that died while taking a lock away does not hold us up for ever', async () => {
  const path = freshLock();
  writeFileSync(path, `${deadPid()} 0\n`);
  writeFileSync(`${path}.break`, '');
  await assert.rejects(
    withLock(path, () => Promise.resolve(), 0),
    (error) => error instanceof PkiError && error.message.includes(`${path}.break`),
  );
});
