/** The fuzzer itself: guided, deterministic, and telling what it found. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { tempHome } from '../support/home.ts';
import { CoverageSource } from './coverage.ts';
import { fuzz } from './engine.ts';
import { minimise } from './minimise.ts';
import { mutate } from './mutate.ts';
import { createRandom, type Target } from './target.ts';

const RUN = path.join(import.meta.dirname, 'run.ts');
const MAGIC = path.join(import.meta.dirname, 'testing', 'magic.ts');
const MAGIC_BYTES = Buffer.from(';{%@');
/** Found after 6151 cases from this seed, and after at most 32194 from the first seven. */
const SEED = 6;
const CASES = 100_000;

let source: CoverageSource;
let target: Target;

before(async () => {
  source = new CoverageSource();
  const { TARGETS } = await import('./testing/magic.ts');
  const [only] = TARGETS;
  assert(only !== undefined);
  target = only;
});

function run(corpus: string, ...more: string[]) {
  const args = [RUN, '--module', MAGIC, '--corpus', corpus, ...more];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}

test('coverage leads to four bytes that blind mutation does not find', async () => {
  const coverage = source.of(target.covers);
  const guided = await fuzz(target, { seed: SEED, cases: CASES, coverage });
  assert.equal(guided.finding?.label, 'Error: the magic bytes');
  assert.deepEqual(guided.finding.input, MAGIC_BYTES);
  assert(guided.kept.length > 2, `${guided.kept.length} inputs kept`);
  assert(coverage.reached > coverage.known / 2);
  const blind = await fuzz(target, { seed: SEED, cases: guided.cases });
  assert.equal(blind.finding, null);
  assert.equal(blind.cases, guided.cases);
});

test('the same seed is the same run', async () => {
  const again = () => fuzz(target, { seed: 3, cases: 4000, coverage: source.of(target.covers) });
  const { slowestMs: _one, ...first } = await again();
  const { slowestMs: _other, ...second } = await again();
  assert.deepEqual(first, second);
  const random = createRandom(5);
  const material = { dictionary: [], others: [Buffer.from('{"a":[1]}')], bytesMax: 20 };
  for (let i = 0; i < 500; i += 1) {
    assert(mutate(Buffer.from('a: 1\n[b]'), material, random).length <= 20);
  }
});

test('what fails is made small, and stays what it was', async () => {
  const long = Buffer.from(`${'x'.repeat(500)}<needle>${'y'.repeat(300)}`);
  const small = await minimise(long, async (bytes) => bytes.includes('needle'));
  assert.equal(small.toString(), 'needle');
});

test('a finding is kept with the command that replays it, and ends the run with 1', async (t) => {
  const corpus = await tempHome(t);
  const found = run(
    corpus,
    '--target',
    'magic',
    '--cases',
    String(CASES),
    '--seed',
    String(SEED),
    '--seconds',
    '120',
  );
  assert.equal(found.status, 1, found.stderr);
  assert.match(found.stdout, /^magic: \d+ cases in .* 1 finding\n {2}Error: the magic bytes\n/);
  assert.match(
    found.stdout,
    /replay it: node test\/fuzz\/run\.ts --replay .*magic\/found-[0-9a-f]{10}\n/,
  );
  const [name = ''] = readdirSync(path.join(corpus, 'magic'));
  const file = path.join(corpus, 'magic', name);
  assert.deepEqual(readFileSync(file), MAGIC_BYTES);
  const replayed = run(corpus, '--replay', file);
  assert.equal(replayed.status, 1, replayed.stderr);
  assert.match(replayed.stdout, /the magic bytes/);
});

test('a case that does not end is kept, and ends the run', async (t) => {
  const corpus = await tempHome(t);
  const hung = run(corpus, '--target', 'endless', '--hang-ms', '3000');
  assert.notEqual(hung.status, 0);
  assert.match(hung.stderr, /^endless: one case took more than 3000 ms: .*endless\/found-/);
  const [name = ''] = readdirSync(path.join(corpus, 'endless'));
  // The first input is no byte at all.
  assert.equal(readFileSync(path.join(corpus, 'endless', name), 'utf8'), '');
});
