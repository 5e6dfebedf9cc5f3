/**
 * The tables of `docs/hostile-input.md` are those of the catalogue and of what the peers did. After a
 * change of the catalogue: `make hostile-peers`.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readResults } from './peers/results.ts';
import { DOCUMENT, tablesIn, tablesOf } from './peers/tables.ts';
import { REQUEST_GROUPS } from './requests.ts';

test('the tables are those of the catalogue', async () => {
  const results = await readResults();
  assert.equal(tablesIn(await readFile(DOCUMENT, 'utf8')), tablesOf(results));
});

test('each peer was asked each input, and no other', async () => {
  const { peers } = await readResults();
  assert.deepEqual(
    peers.map(({ name }) => name),
    ['nginx', 'haproxy', 'mitmproxy'],
  );
  const asked = REQUEST_GROUPS.filter(({ forPeers }) => forPeers);
  const names = asked.flatMap(({ cases }) => cases.map(({ name }) => name)).sort();
  for (const { did } of peers) assert.deepEqual(Object.keys(did).sort(), names);
});
