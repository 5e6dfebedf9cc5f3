/**
 * The kept corpus, run as a test: every input of every target holds, and so do a few new ones. The
 * long runs are `make fuzz`.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CORPUS, readKept } from './corpus.ts';
import { fuzz } from './engine.ts';
import { failureOf } from './target.ts';
import { TARGETS } from './targets/index.ts';

const CASES = 100;
const INPUTS_MAX = 80;
const CORPUS_BYTES_MAX = 256 * 1024;

test('every target has a corpus, and every corpus a target', () => {
  const named = TARGETS.map(({ name }) => name).sort();
  assert.deepEqual(readdirSync(CORPUS).sort(), named);
});

test('the corpus is small', () => {
  let bytes = 0;
  for (const { name } of TARGETS) {
    const kept = readKept(CORPUS, name);
    assert(kept.length > 0 && kept.length <= INPUTS_MAX, `${name}: ${kept.length} inputs`);
    for (const input of kept) bytes += input.bytes.length;
  }
  assert(bytes <= CORPUS_BYTES_MAX, `${bytes} bytes`);
});

describe('the kept inputs and a few new ones', () => {
  for (const target of TARGETS) {
    test(`of ${target.name}: ${target.oracle}`, async () => {
      const corpus = readKept(CORPUS, target.name);
      for (const { file, bytes } of corpus) {
        const error = await failureOf(target, bytes);
        const replay = `node test/fuzz/run.ts --replay ${file}`;
        assert.equal(error, null, `${replay}: ${error instanceof Error ? error.stack : error}`);
      }
      const inputs = corpus.map(({ bytes }) => bytes);
      const { finding } = await fuzz(target, { seed: 1, cases: CASES, corpus: inputs });
      const shown = `${finding?.label} ${JSON.stringify(finding?.input.toString('latin1'))}`;
      assert.equal(finding, null, shown);
    });
  }
});
