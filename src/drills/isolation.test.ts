import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIsolationSearch } from './isolation.ts';

const credentials = { anthropic: 'client-token-0123', zai: 'zai-key-0123' };
const request = (more: { path?: string; rawHeaders?: [string, string][]; body?: string }) => ({
  path: more.path ?? '/v1/messages',
  rawHeaders: more.rawHeaders ?? [],
  body: Buffer.from(more.body ?? '{}'),
});

test('a credential of the other lane is seen wherever it stands, and one’s own is no leak', () => {
  for (const [lane, own, foreign] of [
    ['anthropic', credentials.anthropic, credentials.zai],
    ['zai', credentials.zai, credentials.anthropic],
  ] as const) {
    const search = createIsolationSearch(credentials);
    search.look(lane, request({ path: `/${own}`, rawHeaders: [['x-api-key', own]], body: own }));
    assert.equal(search.count().leaks, 0);
    search.look(lane, request({ path: `/v1/messages?key=${foreign}` }));
    search.look(lane, request({ rawHeaders: [['authorization', `Bearer ${foreign}`]] }));
    search.look(lane, request({ body: `{"content":"${foreign}"}` }));
    assert.equal(search.count().leaks, 3);
    assert.equal(search.count().searched[lane], 4);
  }
});
