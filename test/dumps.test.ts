/**
 * What a process that holds credentials can be made to dump: no debugger on a signal, no heap snapshot,
 * no report with its environment, no core file, no environment on stderr; however it was asked for.
 */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '../src/admin/client.ts';
import { TWIN_ZAI_KEY } from '../src/twin/index.ts';
import { startCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { LAUNCHER, startProxyProcess } from './support/proxy-process.ts';

const POLL_MS = 20;
const IS_LINUX = process.platform === 'linux';
const DUMPS = [
  '--report-on-signal',
  '--report-signal=SIGUSR2',
  '--report-uncaught-exception',
  '--heapsnapshot-signal=SIGUSR2',
  '--heapsnapshot-near-heap-limit=2',
  '--abort-on-uncaught-exception',
  '--inspect=127.0.0.1:0',
  '--tls-keylog=keys.log',
].join(' ');

/** The environment of somebody who debugs something else. */
const DEBUGGED = {
  ZAI_API_KEY: TWIN_ZAI_KEY,
  NODE_OPTIONS: `--max-old-space-size=512 ${DUMPS}`,
  NODE_DEBUG: 'child_process,http,net,tls',
};

/** The launcher, with core files allowed as far as they can be. */
function launcherWithCores(home: string): string {
  const file = path.join(home, 'with-cores');
  writeFileSync(file, `#!/bin/sh\nulimit -c "$(ulimit -Hc)"\nexec '${LAUNCHER}' "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

/** The one worker of a home that is not that one. */
async function workerBut(home: string, former: number): Promise<number> {
  for (;;) {
    const pid = (await readStatus(home)).workers[0]?.pid ?? former;
    if (pid !== former) return pid;
    await wait(POLL_MS);
  }
}

function coreLimitOf(pid: number): string {
  const limits = readFileSync(`/proc/${pid}/limits`, 'latin1');
  return /^Max core file size +(\S+ +\S+)/m.exec(limits)?.[1]?.replace(/ +/, ' ') ?? '';
}

const dumpsIn = (folder: string): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
    /core|heapsnapshot|report\..*json|keys\.log/.test(path.basename(name)),
  );

test('a proxy dumps nothing, whatever its environment asks for', async (t) => {
  const launcher = launcherWithCores(await tempHome(t));
  const proxy = await startProxyProcess(t, {
    twinApart: true,
    env: DEBUGGED,
    launcher,
  });
  const { pid } = await readStatus(proxy.home);
  let worker = await workerBut(proxy.home, 0);
  if (IS_LINUX) {
    assert.deepEqual([pid, worker].map(coreLimitOf), ['0 0', '0 0']);
    const [own = '', workers = ''] = [pid, worker].map((id) =>
      readFileSync(`/proc/${id}/environ`, 'latin1'),
    );
    for (const environment of [own, workers]) {
      assert.match(environment, /--max-old-space-size=512/, 'what else is asked for, stays');
      assert.doesNotMatch(environment, /NODE_DEBUG|--(?:report|heap|inspect|abort|tls)/);
    }
    const argv = readFileSync(`/proc/${worker}/cmdline`, 'latin1');
    assert(!argv.includes(TWIN_ZAI_KEY));
  }
  // They serve on.
  process.kill(pid, 'SIGUSR1');
  process.kill(worker, 'SIGUSR1');
  await readStatus(proxy.home);
  assert.equal((await readStatus(proxy.home)).workers[0]?.pid, worker);
  for (const signal of ['SIGUSR2', 'SIGABRT', 'SIGSEGV'] as const) {
    process.kill(worker, signal);
    worker = await workerBut(proxy.home, worker);
  }
  const { code, output } = await proxy.stop();
  assert.equal(code, 0, output);
  assert.match(output, /NODE_OPTIONS.*--heapsnapshot-signal/, 'what was left out is said');
  assert.doesNotMatch(output, /Debugger listening|Writing Node\.js report/);
  assert(!output.includes(TWIN_ZAI_KEY), 'the key is in what it says');
  assert.deepEqual(dumpsIn(proxy.home), []);
});

test('the proxy that `run` starts is no other, and the command itself is left alone', async (t) => {
  const home = await tempHome(t);
  const script = 'echo "has $NODE_OPTIONS"; while [ ! -e done ]; do sleep 0.05; done';
  const command = startCommand(['run', '--twin', '--', 'sh', '-c', script], {
    home,
    env: { ...DEBUGGED, NODE_OPTIONS: '--report-on-signal' },
  });
  await command.printed('has --report-on-signal\n');
  const { pid, workers } = await readStatus(home);
  if (IS_LINUX) {
    for (const id of [pid, ...workers.map((worker) => worker.pid)]) {
      const environment = readFileSync(`/proc/${id}/environ`, 'latin1');
      assert.doesNotMatch(environment, /NODE_DEBUG|--report/);
    }
  }
  writeFileSync(path.join(home, 'done'), '');
  assert.equal((await command.done).code, 0);
});
