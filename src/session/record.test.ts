import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { appendPhase, beginSession, readSession, sessionPath } from './record-file.ts';
import { madePhase } from './testing/made-session.ts';

async function home(t: { after(run: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lanekeeper-session-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a phase begins a session by hand, further ones go on with it, and it is read as written', async (t) => {
  const at = await home(t);
  assert.equal(await readSession(at), null);
  const first = madePhase('soak', {
    start: '2026-11-26T10:00:00.000Z',
    end: '2026-11-26T10:30:00.000Z',
  });
  const begun = await appendPhase(at, first);
  assert.deepEqual(
    [begun.by, begun.start, begun.end, begun.phases],
    ['drill', first.start, first.end, [first]],
  );
  const second = madePhase('burst', {
    start: '2026-11-26T10:31:00.000Z',
    end: '2026-11-26T10:32:00.000Z',
  });
  await appendPhase(at, second);
  const read = await readSession(at);
  assert.deepEqual(
    [read?.id, read?.start, read?.end, read?.phases],
    [begun.id, first.start, second.end, [first, second]],
  );
});

test('a new session keeps the former one beside it', async (t) => {
  const at = await home(t);
  const former = await appendPhase(at, madePhase('warmup'));
  const now = Date.UTC(2026, 10, 26, 12);
  const session = await beginSession(at, now, 'session');
  assert.deepEqual([session.by, session.end, session.phases], ['session', null, []]);
  assert.notEqual(session.id, former.id);
  assert.deepEqual(readdirSync(join(at, 'results')).sort(), [
    'SESSION-20261126T120000000Z.json',
    'SESSION.json',
  ]);
  const kept: unknown = JSON.parse(
    readFileSync(join(at, 'results', 'SESSION-20261126T120000000Z.json'), 'utf8'),
  );
  assert.deepEqual(kept, former);
});

for (const [what, text, named] of [
  [
    'no JSON',
    '{"half',
    /SESSION\.json is no JSON; begin a new session \(drill NAME --new-session\)/,
  ],
  ['of another version', '{"version":2}', /SESSION\.json version: /],
  [
    'without its phases',
    JSON.stringify({
      version: 1,
      id: '3fa85f64-5717-4562-b3fc-2c963f66afa6',
      by: 'drill',
      start: '2026-11-26T10:00:00.000Z',
      end: null,
    }),
    /SESSION\.json phases: /,
  ],
] as const) {
  test(`a record that is ${what} is refused, by name and with the mend`, async (t) => {
    const at = await home(t);
    mkdirSync(join(at, 'results'));
    writeFileSync(sessionPath(at), text);
    await assert.rejects(readSession(at), { name: 'SessionError', message: named });
  });
}
