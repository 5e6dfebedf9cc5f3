import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { updateCriteria, withBlock } from './criteria.ts';
import type { Gate } from './types.ts';

const SHIPPED = join(import.meta.dirname, '..', '..', '..', 'docs', 'P0-EXIT-CRITERIA.md');
const GATES: readonly Gate[] = [
  { name: 'routing', met: true, evidence: { reasons: [], queries: [] } },
  {
    name: 'safety',
    met: false,
    evidence: { reasons: ['logs/a_b.log:3 holds <KEY>'], queries: [] },
  },
];

test('a home gets the criteria as they are shipped, and each judgement takes the place of the last', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'lanekeeper-criteria-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const path = await updateCriteria(home, SHIPPED, GATES, Date.UTC(2026, 10, 26));
  const first = readFileSync(path, 'utf8');
  assert.match(first, /^# P0 exit criteria\n/);
  assert.match(first, /Judged 2026-11-26T00:00:00\.000Z:\n\n- \[x\] \*\*routing\*\*: met; /);
  assert.match(
    first,
    /\n- \[ \] \*\*safety\*\*: NOT MET; .*\n {2}- logs\/a\\_b\.log:3 holds \\<KEY\\>\n/,
  );
  assert(!first.includes('Not judged yet'));
  await updateCriteria(home, SHIPPED, GATES, Date.UTC(2026, 10, 27));
  const second = readFileSync(path, 'utf8');
  assert.equal(second, first.replace('2026-11-26T', '2026-11-27T'));
});

test('a document without the block keeps every word and gets one', () => {
  const text = withBlock('# Mine\n\nWords.\n', 'verdict');
  assert.match(
    text,
    /^# Mine\n\nWords\.\n\n<!-- gates: begin.* -->\n\nverdict\n\n<!-- gates: end -->\n$/,
  );
  assert.equal(withBlock(text, 'verdict'), text);
});
