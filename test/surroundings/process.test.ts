/**
 * What a process is given and can lose: somebody who hears it, a working directory, a temporary folder,
 * a home, a umask, a locale. None of it stops a proxy that runs.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { isRunning, readStatus } from '../../src/admin/client.ts';
import { runCommand } from '../support/command.ts';
import { type Cleanup, tempHome } from '../support/home.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import { exchange, launcherThat, linesOf, until, wholeExchanges } from '../support/surroundings.ts';

interface Unheard {
  readonly home: string;
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  end(): Promise<number | null>;
}

/** A proxy process of which nothing is heard; by its control socket it is known to run. */
async function startUnheard(t: Cleanup, lines: string, isCut: boolean): Promise<Unheard> {
  const launcher = await launcherThat(t, lines);
  const home = await tempHome(t);
  const child = spawn(launcher, ['start', '--twin', '--port', '0', '--home', home], {
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '', HOME: home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit');
  // Nobody reads at the other end, from before its first word.
  for (const stream of [child.stdout, child.stderr]) if (isCut) stream.destroy();
  const end = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    const [code] = await exit;
    return code as number | null;
  };
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) await end();
  });
  await until('it runs', () => isRunning(home));
  const { listen } = await readStatus(home);
  const url = `http://127.0.0.1:${listen.port}`;
  return { home, port: listen.port, url, pid: child.pid ?? 0, end };
}

/** As on Linux; elsewhere there is no such device. */
const FULL = existsSync('/dev/full') ? '/dev/full' : '/dev/null';

const MUTE = [
  { name: 'closed', lines: 'exec "$LAUNCHER" "$@" >&- 2>&-', isCut: false },
  { name: 'on a full disk', lines: `exec "$LAUNCHER" "$@" >${FULL} 2>${FULL}`, isCut: false },
  { name: 'pipes that nobody reads', lines: 'exec "$LAUNCHER" "$@"', isCut: true },
] as const;

describe('standard output and error', () => {
  for (const { name, lines, isCut } of MUTE) {
    test(`${name}: it serves, and has much to say to nobody`, async (t) => {
      const proxy = await startUnheard(t, lines, isCut);
      const [worker] = (await readStatus(proxy.home)).workers;
      const logs = path.join(proxy.home, 'logs');
      await wholeExchanges(proxy, 1);
      rmSync(logs, { recursive: true });
      writeFileSync(logs, '');
      await wholeExchanges(proxy, 1);
      const faulty = async (): Promise<boolean> =>
        (await readStatus(proxy.home)).ledger.fault !== null;
      await until('there is something to say', faulty);
      process.kill(proxy.pid, 'SIGHUP');
      rmSync(logs);
      await wholeExchanges(proxy, 1);
      await until('the ledger is back', () => {
        return linesOf(path.join(logs, 'usage.jsonl')).whole.length >= 2;
      });
      const status = await readStatus(proxy.home);
      assert.equal(status.workers[0]?.pid, worker?.pid, 'nobody died of it');
      assert.equal(status.workers_lost, 0);
      assert.equal(await proxy.end(), 0);
    });
  }
});

test('an odd environment: no HOME, no TMPDIR, umask 000, a locale and a time zone of their own', async (t) => {
  const launcher = await launcherThat(
    t,
    `umask 000
unset HOME
export TMPDIR=/nowhere/at/all LC_ALL=tr_TR.UTF-8 TZ=Pacific/Chatham
exec "$LAUNCHER" "$@"`,
  );
  const began = Date.now() / 1_000;
  const proxy = await startProxyProcess(t, { launcher });
  await wholeExchanges(proxy, 2);
  const records = await proxy.records(2);
  for (const { ts } of records) assert(ts >= began - 60 && ts <= Date.now() / 1_000 + 60);
  const entries = await readdir(proxy.home, { recursive: true, withFileTypes: true });
  const modes = entries
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const mode = statSync(path.join(entry.parentPath, entry.name)).mode & 0o777;
      return `${entry.name} ${mode.toString(8)}`;
    });
  assert.deepEqual(modes.sort(), [
    'anomalies.jsonl 600',
    'ca-cert.pem 644',
    'leaf-cert.pem 600',
    'leaf-key.pem 600',
    'usage.jsonl 600',
  ]);
  for (const name of ['logs', 'ca', 'run']) {
    assert.equal(statSync(path.join(proxy.home, name)).mode & 0o777, 0o700, name);
  }
});

test('a working directory that is removed: workers are replaced all the same, and it is noted', async (t) => {
  const launcher = await launcherThat(
    t,
    'mkdir "$HOME/here" && cd "$HOME/here" && exec "$LAUNCHER" "$@"',
  );
  const proxy = await startProxyProcess(t, { launcher });
  await wholeExchanges(proxy, 1);
  rmSync(path.join(proxy.home, 'here'), { recursive: true });
  const [worker] = (await readStatus(proxy.home)).workers;
  process.kill(worker?.pid ?? 0, 'SIGKILL');
  await until('another worker serves', async () => (await exchange(proxy)).status === 200);
  const { workers, workers_lost, notes } = await readStatus(proxy.home);
  assert.notEqual(workers[0]?.pid, worker?.pid);
  assert.equal(workers_lost, 1);
  assert(notes.some((note) => note.includes('the working directory is gone')));
});

test('reports need a folder for temporary files, and say which', async (t) => {
  const home = await tempHome(t);
  await mkdir(path.join(home, 'logs'));
  writeFileSync(path.join(home, 'logs', 'usage.jsonl'), '');
  const env = { TMPDIR: '/nowhere/at/all' };
  const { code, stderr } = await runCommand(['summarize'], { home, env });
  assert.equal(code, 1);
  assert.match(stderr, /^lanekeeper: \/nowhere\/at\/all: .* does not exist; .*TMPDIR$/m);
});
