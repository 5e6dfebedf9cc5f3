import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { SOCKET_PATH_BYTES_MAX } from '../core/limits.ts';
import { checkSocketDirectory, prepareSocketDirectory, socketPath } from './socket-path.ts';

function temporary(t: { after(run: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'lk-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('a home with a short path has its socket in its own run directory', () => {
  assert.equal(socketPath('/h'), '/h/run/admin.sock');
});

test('a home with a long path has a short socket path, its own and the same under each name', (t) => {
  const root = temporary(t);
  const long = join(root, 'x'.repeat(120));
  const other = join(root, 'y'.repeat(120));
  mkdirSync(long);
  symlinkSync(long, other);
  const path = socketPath(long);
  assert.ok(Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX);
  assert.equal(socketPath(other), path);
  assert.notEqual(socketPath(join(root, 'z'.repeat(120))), path);
});

test('the directory of the socket is entered by nobody else, also where it was open before', (t) => {
  const home = temporary(t);
  const path = socketPath(home);
  mkdirSync(dirname(path), { mode: 0o755 });
  prepareSocketDirectory(path);
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  checkSocketDirectory(path);
});

test('a directory that is a symbolic link, or somebody else’s, is refused', (t) => {
  const home = temporary(t);
  const real = temporary(t);
  symlinkSync(real, join(home, 'run'));
  const path = socketPath(home);
  assert.throws(() => prepareSocketDirectory(path), { code: 'unsafe_directory' });
  assert.throws(() => checkSocketDirectory(path), { code: 'unsafe_directory' });
});

test('a home without a run directory is no danger', (t) => {
  checkSocketDirectory(socketPath(join(temporary(t), 'absent')));
});
