/**
 * A home that can not be written. From the start: no proxy, and the reason with its mend. Later: the proxy
 * goes on, says it, and loses nothing that it need not.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { type Cleanup, tempHome } from '../support/home.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import {
  hear,
  insideOf,
  launcherThat,
  linesOf,
  onSmallDisk,
  until,
  wholeExchanges,
  withoutDisks,
  withoutPrivileges,
} from '../support/surroundings.ts';

interface Started {
  readonly code: number | null;
  readonly stderr: string;
}

/** Starts one that is to end by itself. */
function start(home: string, program: string): Started {
  const { status, stdout, stderr } = spawnSync(program, ['start', '--twin', '--port', '0'], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, LANEKEEPER_HOME: home },
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stdout, '', 'it does not listen');
  return { code: status, stderr };
}

function assertRefused({ code, stderr }: Started, what: RegExp): void {
  assert.equal(code, 1, stderr);
  assert.match(stderr, what);
  assert.match(stderr, /--home|chmod/, 'the mend');
  assert.doesNotMatch(stderr, /\n {4}at /, 'no stack');
}

/** A home that was used, with its certificate authority; modes are put back for who removes it. */
async function usedHome(t: Cleanup): Promise<string> {
  let home = '';
  const folders = ['', 'logs', 'ca', 'run'];
  t.after(async () => {
    for (const name of folders) await chmod(path.join(home, name), 0o700);
  });
  const proxy = await startProxyProcess(t);
  ({ home } = proxy);
  await wholeExchanges(proxy, 1);
  await proxy.records(1);
  await proxy.stop();
  return home;
}

describe('a home that can not be written from the start', () => {
  test('is refused by name: a file, below a file, below a folder of somebody else', async (t) => {
    const launcher = await withoutPrivileges(t);
    const folder = await tempHome(t);
    const file = path.join(folder, 'a-file');
    await writeFile(file, '');
    const locked = path.join(folder, 'locked');
    await mkdir(locked, { mode: 0o555 });
    assertRefused(
      start(file, launcher),
      /a-file\/logs\/usage\.jsonl can not be written \((EEXIST|ENOTDIR)\)/,
    );
    assertRefused(start(path.join(file, 'x'), launcher), /can not be written \(ENOTDIR\)/);
    assertRefused(start(path.join(locked, 'x'), launcher), /can not be written \(EACCES\)/);
    assert.deepEqual(await readdir(locked), []);
  });

  test('one of its folders alone: logs and run are needed, ca is only read', async (t) => {
    const launcher = await withoutPrivileges(t);
    const home = await usedHome(t);
    const logs = path.join(home, 'logs');
    await chmod(path.join(logs, 'usage.jsonl'), 0o400);
    await chmod(logs, 0o500);
    assertRefused(start(home, launcher), /usage\.jsonl can not be written \(EACCES\)/);
    await chmod(logs, 0o700);
    await chmod(path.join(logs, 'usage.jsonl'), 0o600);
    await chmod(path.join(home, 'run'), 0o500);
    assertRefused(start(home, launcher), /run\/admin\.sock: permission denied \(EACCES\)/);
    await chmod(path.join(home, 'run'), 0o700);
    await chmod(path.join(home, 'ca'), 0o500);
    await chmod(home, 0o500);
    const env = { LANEKEEPER_HOME: home };
    const proxy = await startProxyProcess(t, { launcher, env, args: ['--home', home] });
    await wholeExchanges(proxy, 1);
    await until('its record', () => linesOf(path.join(logs, 'usage.jsonl')).whole.length === 2);
  });

  test('a file system that is read-only', { skip: withoutDisks() }, async (t) => {
    const home = await usedHome(t);
    const mounted = await launcherThat(
      t,
      `exec unshare ${process.getuid?.() === 0 ? '' : '--user --map-root-user'} --mount sh -c '
        mount --bind "$HOME" "$HOME" && mount -o remount,bind,ro "$HOME" && cd / && exec "$0" "$@"
      ' "$LAUNCHER" "$@"`,
    );
    assertRefused(start(home, mounted), /usage\.jsonl can not be written \(EROFS\)/);
  });
});

test('a file system that becomes read-only is said once, and costs no record where it passes', {
  skip: withoutDisks(),
}, async (t) => {
  const disk = await onSmallDisk(t, '4m');
  const proxy = await startProxyProcess(t, { launcher: disk, twinApart: true });
  const said = hear(proxy);
  const logs = insideOf(proxy, path.join(proxy.home, 'logs'));
  const records = (): number =>
    ['usage.jsonl', 'moved.jsonl']
      .map((name) => linesOf(path.join(logs, name)).whole.length)
      .reduce((sum, count) => sum + count);
  await wholeExchanges(proxy, 1);
  await until('its record', () => records() === 1);
  const enter = ['--target', String(proxy.child.pid), '--mount'];
  const user = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'];
  const inside = (script: string): void => {
    const ran = spawnSync('nsenter', [...enter, ...user, '--', 'sh', '-c', script, proxy.home], {
      encoding: 'utf8',
    });
    assert.equal(ran.status, 0, ran.stderr);
  };
  // What is open stays writable, so the ledger is moved away too.
  inside(
    'cd "$0/logs" && mv usage.jsonl moved.jsonl && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"',
  );
  await wholeExchanges(proxy, 3);
  await until('the fault', () => said().includes('usage.jsonl can not be written (EROFS)'));
  await wholeExchanges(proxy, 1);
  inside('umount "$0"');
  await until('all records', () => records() === 5);
  await until('the end of it', () => said().includes('is written again; lines lost meanwhile: 0'));
  assert.equal(said().split('can not be written').length - 1, 1, said());
});
