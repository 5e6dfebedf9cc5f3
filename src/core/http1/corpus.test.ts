/** The kept corpus: every case gets the verdict that stands beside it, however its bytes are split. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type CorpusCase, parseCorpus } from './testing/corpus.ts';
import { split, type Trace, traceRequests, traceResponse } from './testing/trace.ts';

const FOLDER = new URL('corpus/', import.meta.url);

for (const file of readdirSync(FOLDER)) {
  test(`every verdict of ${file} holds`, () => {
    const cases = parseCorpus(readFileSync(new URL(file, FOLDER), 'utf8'));
    assert(cases.length > 0);
    assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length, 'a name twice');
    for (const kept of cases) {
      const everyByte = Array.from(kept.bytes.keys());
      checkVerdict(kept, run(kept, [kept.bytes]));
      checkVerdict(kept, run(kept, split(kept.bytes, everyByte)));
    }
  });
}

function run(kept: CorpusCase, pieces: readonly Buffer[]): Trace<unknown> {
  return kept.method === '' ? traceRequests(pieces) : traceResponse(kept.method, pieces);
}

function checkVerdict(kept: CorpusCase, trace: Trace<unknown>): void {
  assert.equal(trace.error, kept.error, kept.name);
  const whole = trace.messages.filter((message) => message.ended || trace.isSwitched);
  assert.equal(whole.length, kept.messages, kept.name);
}
