/** docs/hostile-input-h2.md says what the catalogue says, and what was seen of the peers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CASES, FLOODS } from './catalogue.ts';
import { readDocument, withTables } from './document.ts';
import { readObserved } from './observed.ts';

test('the tables of the document are those of the catalogue: make hostile-peers-h2 writes them', () => {
  const document = readDocument();
  assert.equal(withTables(document, readObserved()), document);
});

test('every case was played against every peer that was observed', () => {
  const { peers, seen, reached } = readObserved();
  assert.deepEqual(
    peers.map(({ name }) => name),
    ['nginx', 'haproxy', 'mitmproxy'],
  );
  for (const { id } of [...CASES, ...FLOODS.cases]) {
    for (const { name } of peers) assert(seen[id]?.[name] !== undefined, `${id} of ${name}`);
  }
  for (const { name } of peers) assert(reached[name] !== undefined, name);
});
