/** The token that a home makes for itself: one, random, private, and read as it is or not at all. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { KEY, load, problemOf, workingDirectory } from './fixtures.test.ts';
import { ownToken, ownTokenPath, readOwnToken } from './own-token.ts';

const run = promisify(execFile);
const AUTO = 'listen: { token: auto }';

test('it is made once, for the owner alone, and is another in each home', (t) => {
  const home = workingDirectory(t);
  assert.equal(readOwnToken(home), null);
  const token = ownToken(home);
  assert.match(token, /^[0-9a-f]{64}$/);
  assert.equal(ownToken(home), token);
  assert.equal(readOwnToken(home), token);
  assert.equal(lstatSync(ownTokenPath(home)).mode & 0o777, 0o600);
  assert.equal(lstatSync(join(home, 'run')).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(home, 'run')), ['token']);
  assert.notEqual(ownToken(workingDirectory(t)), token);
});

test('processes that make it at the same moment get the same', async (t) => {
  const home = workingDirectory(t);
  const module = JSON.stringify(new URL('./own-token.ts', import.meta.url).href);
  const script = `const { ownToken } = await import(${module}); process.stdout.write(ownToken(process.argv[1]))`;
  const arguments_ = ['--input-type=module', '--eval', script, home];
  const made = await Promise.all(
    Array.from({ length: 4 }, () => run(process.execPath, arguments_, { env: {} })),
  );
  assert.deepEqual([...new Set(made.map(({ stdout }) => stdout))], [ownToken(home)]);
  assert.deepEqual(readdirSync(join(home, 'run')), ['token']);
});

test('a file that is not what it should be is refused with the mend, and not shown', async (t) => {
  const cases: readonly (readonly [(path: string) => void, RegExp])[] = [
    [(path) => chmodSync(path, 0o640), /is open to other users/],
    [(path) => writeFileSync(path, `${KEY}\n`), /holds no token/],
    [(path) => writeFileSync(path, ''), /holds no token/],
    [
      (path) => {
        rmSync(path);
        writeFileSync(`${path}.other`, `${'a'.repeat(64)}\n`);
        symlinkSync(`${path}.other`, path);
      },
      /is a link/,
    ],
    [
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      /is no file/,
    ],
  ];
  for (const [spoil, message] of cases) {
    const home = workingDirectory(t);
    ownToken(home);
    spoil(ownTokenPath(home));
    const problem = await problemOf(t, { yaml: AUTO, home });
    assert.match(problem.message, message);
    assert.match(problem.mend, /^remove .*run.token/);
    assert.ok(!problem.message.includes(KEY));
  }
});

test('token: auto is the home’s own token, unless LANEKEEPER_TOKEN is set', async (t) => {
  const home = workingDirectory(t);
  const config = await load(t, { yaml: AUTO, home });
  assert.ok(config.listen.token?.equals(ownToken(home)));
  assert.deepEqual(
    config.notes.filter((note) => note.includes('shorter')),
    [],
  );
  const named = await load(t, { yaml: AUTO, home, env: { LANEKEEPER_TOKEN: KEY } });
  assert.ok(named.listen.token?.equals(KEY));
  // With it the port may be opened to others.
  const wide = await load(t, { yaml: 'listen: { host: 0.0.0.0, token: auto }', home });
  assert.ok(wide.listen.token?.equals(ownToken(home)));
  // Nobody is given a token that was not asked for.
  const other = workingDirectory(t);
  assert.equal((await load(t, { home: other })).listen.token, null);
  assert.deepEqual(readdirSync(other), []);
});

test('a short token of another variable is noted too', async (t) => {
  const yaml = 'listen: { token: { env: OWN } }';
  assert.match(
    (await load(t, { yaml, env: { OWN: 'short' } })).notes.join(),
    /OWN is shorter than 16/,
  );
});
