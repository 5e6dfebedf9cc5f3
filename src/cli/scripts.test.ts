import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { PACKAGE_ROOT } from './package-info.ts';
import { findOnPath } from './programs.ts';

function temporary(t: { after(run: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'lk scripts '));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

for (const [shell, plain] of [
  ['bash', '--norc'],
  ['zsh', '-f'],
] as const) {
  const skip = findOnPath(shell) === null && `${shell} is not installed`;
  test(`sub-env.sh sets the environment of ${shell}, and leaves nothing else`, { skip }, (t) => {
    const home = temporary(t);
    const script = `. '${join(PACKAGE_ROOT, 'scripts', 'sub-env.sh')}' 9001 || exit 3
      echo "$HTTPS_PROXY"; echo "$NODE_EXTRA_CA_CERTS"; echo "\${ANTHROPIC_BASE_URL-gone}"
      typeset -p | grep -c '^[^=]*lanekeeper_'`;
    const { stdout, stderr } = spawnSync(shell, [plain, '-c', script], {
      cwd: '/',
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'] ?? '',
        LANEKEEPER_HOME: home,
        ANTHROPIC_BASE_URL: 'http://x',
      },
    });
    assert.equal(stderr, '');
    const [proxy, trust, base, left] = stdout.split('\n');
    assert.equal(proxy, 'http://127.0.0.1:9001');
    assert.equal(trust, join(home, 'ca', 'ca-cert.pem'));
    assert.equal(base, 'gone');
    assert.equal(left, '0');
  });
}

test('print-versions.sh prints what it writes', (t) => {
  const home = temporary(t);
  const { stdout, stderr } = spawnSync(
    join(PACKAGE_ROOT, 'scripts', 'print-versions.sh'),
    ['--json'],
    {
      cwd: '/',
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', LANEKEEPER_HOME: home },
    },
  );
  assert.equal(stderr, '');
  assert.deepEqual(
    JSON.parse(readFileSync(join(home, 'VERSIONS.json'), 'utf8')),
    JSON.parse(stdout),
  );
});
