/**
 * Drills as users run them: short runs of each, and runs over routing or answers that are wrong, which
 * must fail. A check that can not fail shows nothing.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isRunning } from '../src/admin/client.ts';
import { runCommand, startCommand } from './support/command.ts';
import { drill, failing, type Summary } from './support/drill.ts';
import { type Cleanup, tempHome } from './support/home.ts';
import { readRecords, startProxyProcess } from './support/proxy-process.ts';

const CANARY = 'fake-key-of-drills-0123456789';

/** A gateway that answers every stream well but for its last event. */
async function forgetfulGateway(t: Cleanup): Promise<string> {
  const server = http.createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'text/event-stream');
    response.end('event: ping\ndata: {"type":"ping"}\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a drill of its own proxy and twin', { concurrency: 3 }, () => {
  for (const [name, args, exchanges, lanes] of [
    ['warmup', [], 3, { zai: 1, anthropic: 2 }],
    ['alternate', ['--count', '6', '--pause-ms', '10'], 6, { anthropic: 3, zai: 3 }],
    ['burst', [], 30, { anthropic: 15, zai: 15 }],
    ['parallel', ['--count', '40'], 40, { zai: 40 }],
    ['burst', ['--gateway', '--count', '10'], 10, { anthropic: 5, zai: 5 }],
    ['burst', ['--client', 'sdk', '--count', '10'], 10, { anthropic: 5, zai: 5 }],
  ] as const) {
    test(`${[name, ...args].join(' ')} finds every answer whole, on its lane and in the ledger`, async (t) => {
      const home = await tempHome(t);
      const { code, value, stderr } = await drill(home, [name, ...args]);
      assert.deepEqual(failing(value), []);
      assert.equal(code, 0, stderr);
      assert.deepEqual(
        [value.exchanges, value.whole, value.misroutes, value.stalls, value.abandoned],
        [exchanges, exchanges, 0, 0, 0],
      );
      assert.equal(value.compared_with_upstreams, true);
      assert.deepEqual(value.lanes, lanes);
      assert.equal(value.ledger?.records, exchanges);
      assert.deepEqual(value.errors, {});
      const records = await readRecords(home, exchanges);
      assert.equal(records.length, exchanges);
      assert(value.latency_ms !== null && value.latency_ms.p50 <= value.latency_ms.p99);
      // The proxy is gone, and nothing of it but its home is left.
      assert.equal(existsSync(path.join(home, 'drill.yaml')), false);
    });
  }

  test('soak ends with its time, and calls a short run too short for a leak verdict', async (t) => {
    const home = await tempHome(t);
    const { code, value } = await drill(home, ['soak', '--minutes', '0.05', '--pause-ms', '1']);
    assert.equal(code, 0);
    assert(value.seconds >= 3 && value.seconds < 13, String(value.seconds));
    assert.equal(value.ledger?.records, value.exchanges);
    const leaks = value.checks.find((check) => check.name === 'leaks');
    assert.deepEqual([leaks?.met, leaks?.detail], [null, 'too short to judge']);
  });

  test('the text names every check, and where the evidence lies', async (t) => {
    const home = await tempHome(t);
    const { code, stdout } = await runCommand(['drill', 'warmup', '--home', home], { home });
    assert.equal(code, 0);
    for (const line of [/^met +T1 haiku on zai: /m, /^met +routing: /m, /^met +records: 3 /m]) {
      assert.match(stdout, line);
    }
    assert(stdout.includes(`evidence: ${path.join(home, 'logs', 'usage.jsonl')}`));
  });

  test('Ctrl-C ends it in order: what was measured is printed, and the exit is 130', async (t) => {
    const home = await tempHome(t);
    const args = ['drill', 'soak', '--pause-ms', '1', '--home', home, '--json'];
    const { child, done } = startCommand(args, { home });
    await readRecords(home, 1);
    child.kill('SIGINT');
    const { code, stdout } = await done;
    assert.equal(code, 130);
    const value = JSON.parse(stdout) as Summary;
    assert.equal(value.interrupted, true);
    assert(value.exchanges > 0);
    assert.deepEqual(failing(value), []);
    assert.deepEqual(await readdir(path.join(home, 'run')).catch(() => []), []);
  });

  test('a drill that is killed leaves no proxy behind', async (t) => {
    const home = await tempHome(t);
    const args = ['drill', 'soak', '--pause-ms', '1', '--home', home];
    const { child, done } = startCommand(args, { home });
    await readRecords(home, 1);
    child.kill('SIGKILL');
    await done;
    // Polled, since nothing tells of the end of a process that is not our child.
    while (await isRunning(home)) await wait(20);
  });

  test('the scripts are the same drills, by their size', async (t) => {
    const home = await tempHome(t);
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, LANEKEEPER_HOME: home };
    for (const [script, args, expected] of [
      ['burst.sh', ['4'], /^exchanges {2}4 in /m],
      ['parallel-subagents.sh', ['2', '--count', '4'], /^lanes +zai 4$/m],
      ['soak.sh', ['0.01', '--pause-ms', '1'], /^drill soak: /m],
    ] as const) {
      const file = path.join(import.meta.dirname, '..', 'scripts', script);
      const { stdout } = await promisify(execFile)(file, args, { cwd: '/', env });
      assert.match(stdout, expected);
    }
  });
});

describe('what is wrong', { concurrency: 3 }, () => {
  test('a proxy that sends Sonnet to zai fails the drill', async (t) => {
    const home = await tempHome(t);
    const file = path.join(home, 'bad.yaml');
    await writeFile(file, 'routes: [{ name: wrong, when: { model: "*sonnet*" }, lane: zai }]\n');
    const { code, value } = await drill(home, ['burst', '--count', '10', '--config', file]);
    assert.equal(code, 1);
    assert.equal(value.ok, false);
    assert.equal(value.misroutes, 5);
    assert.equal(value.ledger?.misroutes, 5);
    assert.deepEqual(failing(value), ['routing', 'streams']);
  });

  test('warmup fails where Haiku is not forced, whatever lane it takes', async (t) => {
    // The embedded twin, with the switches of the environment that it was started with: none.
    const { home } = await startProxyProcess(t);
    const { code, value } = await drill(home, ['warmup']);
    assert.equal(code, 1);
    assert.deepEqual(failing(value), ['T1 haiku on zai', 'T2 sonnet on anthropic', 'routing']);
    const routing = value.checks.find((check) => check.name === 'routing');
    assert.match(routing?.detail ?? '', /lanekeeper force on/);
  });

  test('a running proxy is judged by client and ledger, its former records left aside', async (t) => {
    const { home } = await startProxyProcess(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    for (const name of ['warmup', 'burst'] as const) {
      const { code, value } = await drill(home, [name]);
      assert.deepEqual(failing(value), []);
      assert.equal(code, 0);
      assert.equal(value.compared_with_upstreams, false);
      assert.equal(value.ledger?.records, value.exchanges);
    }
  });

  test('a stream that ends without its last event fails the drill', async (t) => {
    const home = await tempHome(t);
    const url = await forgetfulGateway(t);
    const args = ['burst', '--count', '4', '--gateway', '--proxy', url];
    const { code, value } = await drill(home, args, { ANTHROPIC_API_KEY: CANARY });
    assert.equal(code, 1);
    assert.equal(value.whole, 0);
    assert.deepEqual(value.errors, { unfinished: 4 });
    assert.deepEqual(failing(value), ['streams']);
  });

  test('what a drill can not do it says, with the mend', async (t) => {
    const home = await tempHome(t);
    for (const [args, expected, mend] of [
      [['warmup', '--count', '3'], 2, /takes no size/],
      [['burst', '--twin', '--proxy', 'http://127.0.0.1:1'], 2, /choose one/],
      [['burst', '--proxy', 'ftp://x'], 2, /must be a URL such as/],
      [['soak', '--minutes', '0'], 2, /above 0/],
      [['havoc'], 2, /Allowed choices are warmup, alternate, soak, parallel, burst, chaos, ab/],
      [['burst', '--act', 'kill'], 2, /--act, --port and --after are for drill chaos/],
      [['chaos', '--client', 'sdk'], 2, /leave --client out/],
      [['burst', '--gateway', '--proxy', 'http://127.0.0.1:1'], 1, /set ANTHROPIC_API_KEY/],
    ] as const) {
      const { code, stderr } = await runCommand(['drill', ...args, '--home', home], { home });
      assert.equal(code, expected, stderr);
      assert.match(stderr, mend);
    }
  });
});
