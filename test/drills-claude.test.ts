/**
 * Drills with the real Claude Code, small ones: against the twin, over lanes that lead elsewhere, and
 * what is left when they end in any way.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, suite, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isLiving } from '../src/cli/drill/processes.ts';
import { AGENT_NOTES_MAX } from '../src/core/limits.ts';
import { headerOf, startTwin } from '../src/twin/index.ts';
import { messages } from './support/ask.ts';
import { ensureClaude, QUIET, skipReason } from './support/claude.ts';
import { runCommand, startCommand } from './support/command.ts';
import { drill as drillOf, failing, type Summary } from './support/drill.ts';
import { type Cleanup, tempHome } from './support/home.ts';
import { readRecords, startProxyProcess } from './support/proxy-process.ts';
import { FAKE_API_KEY } from './support/sdk.ts';

const skip = skipReason() ?? false;
const SETTINGS = '/api/claude_code/settings';

/** Runs a drill with Claude Code. */
async function drill(home: string, args: readonly string[], env = {}): ReturnType<typeof drillOf> {
  return drillOf(home, [...args, '--client', 'claude', '--claude', await ensureClaude()], env);
}

function detailOf({ checks }: Summary, name: string): string {
  return checks.find((check) => check.name === name)?.detail ?? '';
}

/** A program that notes its process id and its environment, and becomes Claude Code. */
async function notedClaude(home: string) {
  const program = path.join(home, 'claude');
  const [pids, env] = [path.join(home, 'pids'), path.join(home, 'env')];
  const script = `#!/bin/sh\necho $$ >> '${pids}'\nenv > '${env}'\nexec '${await ensureClaude()}' "$@"\n`;
  await writeFile(program, script, { mode: 0o755 });
  return {
    program,
    pids: async () => (await readFile(pids, 'utf8')).trim().split('\n').map(Number),
    env: async () =>
      new Map((await readFile(env, 'utf8')).split('\n').map((line) => splitOnce(line, '='))),
  };
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A soak under way, which has had an answer, and its Claude Code. */
async function soakUnderWay(t: Cleanup) {
  const home = await tempHome(t);
  const claude = await notedClaude(home);
  const args = ['drill', 'soak', '--client', 'claude', '--claude', claude.program, '--json'];
  const { child, done } = startCommand([...args, '--home', home, '--pause-ms', '1'], { home });
  // The control calls of a start come before its first answer.
  await readRecords(home, 5);
  return { child, done, pids: claude.pids };
}

suite('a drill with Claude Code', { skip, concurrency: 2 }, () => {
  // A turn with a tool is two requests: a burst of 12 has two of them.
  for (const [name, args, turns, asked, lanes, starts] of [
    ['warmup', [], 3, 3, { zai: 1, anthropic: 2 }, 2],
    ['burst', ['--count', '12'], 12, 14, { anthropic: 6, zai: 6 }, 2],
    ['burst', ['--count', '4', '--turns', '1'], 4, 4, { anthropic: 2, zai: 2 }, 4],
    ['parallel', ['--count', '8', '--concurrency', '2'], 8, 8, { zai: 8 }, 2],
  ] as const) {
    test(`${[name, ...args].join(' ')} shows every text word for word, and each request has its record`, async (t) => {
      const home = await tempHome(t);
      const { code, value, stderr } = await drill(home, [name, ...args]);
      assert.deepEqual(failing(value), [], stderr);
      assert.equal(code, 0, stderr);
      assert.deepEqual(
        [value.exchanges, value.whole, value.misroutes, value.stalls, value.abandoned],
        [turns, turns, 0, 0, 0],
      );
      assert.deepEqual([value.lanes, value.errors], [lanes, {}]);
      assert.equal(value.ledger?.records, asked);
      const compared = `${asked} requests answered, ${asked} compared with the bytes in the ledger`;
      assert(detailOf(value, 'records').endsWith(compared), detailOf(value, 'records'));
      const records = await readRecords(home, asked);
      assert.equal(records.filter((record) => record.path === '/v1/messages').length, asked);
      // Each process asks for its settings.
      assert(records.filter((record) => record.path === SETTINGS).length >= starts);
    });
  }

  test('under faults it tries again, or tells of them: none of it is laid to the proxy', async (t) => {
    const home = await tempHome(t);
    const args = ['burst', '--count', '24', '--twin', '--fault-rate', '0.2'];
    const { code, value, stderr } = await drill(home, args);
    assert.deepEqual(failing(value), [], stderr);
    assert.equal(code, 0, stderr);
    const met = Object.values(value.faults).reduce((sum, fault) => sum + fault.met, 0);
    assert(met > 0 && value.whole < 24 && value.whole > 0);
    assert.deepEqual(value.errors, {});
  });

  test('through the gateway it is the same, without control calls', async (t) => {
    const home = await tempHome(t);
    const { code, value } = await drill(home, ['burst', '--gateway', '--count', '4']);
    assert.deepEqual(failing(value), []);
    assert.equal(code, 0);
    const records = await readRecords(home, 4);
    assert(records.every((record) => record.path === '/v1/messages'));
  });

  test('towards a twin it has nothing of the environment but PATH', async (t) => {
    const home = await tempHome(t);
    const { program, env } = await notedClaude(home);
    const mine = {
      ANTHROPIC_API_KEY: 'sk-ant-fake-of-the-user',
      ANTHROPIC_BASE_URL: 'http://127.0.0.1:1',
      NO_PROXY: '*',
      SECRET: 'fake-of-the-user',
    };
    const args = ['drill', 'warmup', '--client', 'claude', '--claude', program, '--home', home];
    const { code, stdout, stderr } = await runCommand(args, { home, env: mine });
    assert.equal(code, 0, stdout + stderr);
    const seen = await env();
    for (const [name, value] of seen) assert.doesNotMatch(value, /of-the-user/, name);
    assert.equal(seen.get('ANTHROPIC_API_KEY'), undefined);
    assert.equal(seen.get('NO_PROXY'), undefined);
    assert.notEqual(seen.get('HOME'), home);
    for (const name of Object.keys(QUIET)) assert.equal(seen.get(name), '1');
  });

  test('over lanes that lead elsewhere it pays with the login of the user', async (t) => {
    const twin = await startTwin();
    t.after(() => twin.close());
    const env = { ZAI_API_KEY: twin.zai.key ?? '', FORCE_HAIKU_TO_ZAI: '1' };
    const { home } = await startProxyProcess(t, { twin, env });
    const own = { ...QUIET, ANTHROPIC_API_KEY: FAKE_API_KEY };
    const { code, value, stderr } = await drill(home, ['warmup'], own);
    assert.deepEqual(failing(value), [], stderr);
    assert.equal(code, 0, stderr);
    assert.equal(value.compared_with_upstreams, false);
    const [first] = messages(twin.anthropic);
    assert.equal(headerOf(first?.rawHeaders ?? [], 'x-api-key'), FAKE_API_KEY);
    assert.equal(messages(twin.anthropic).length + messages(twin.zai).length, 3);
  });

  test('a proxy that keeps Haiku on anthropic fails it', async (t) => {
    const { home } = await startProxyProcess(t);
    const { code, value } = await drill(home, ['burst', '--count', '4']);
    assert.equal(code, 1);
    assert.deepEqual(failing(value), ['routing']);
    assert.equal(value.ledger?.misroutes, 2);
  });

  test('Ctrl-C ends it in order, and no Claude Code is left', async (t) => {
    const { child, done, pids } = await soakUnderWay(t);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await done;
    assert.equal(code, 130, stderr);
    const value = JSON.parse(stdout) as Summary;
    assert.deepEqual(failing(value), []);
    assert(value.exchanges > 0);
    for (const pid of await pids()) assert.equal(isLiving(pid), false, `${pid} lives`);
  });

  test('a drill that is killed leaves no Claude Code behind', async (t) => {
    const { child, done, pids } = await soakUnderWay(t);
    child.kill('SIGKILL');
    await done;
    // Polled, since nothing tells of the end of a process that is not our child.
    while ((await pids()).some(isLiving)) await wait(20);
  });
});

describe('what a drill with Claude Code can not do it says, with the mend', () => {
  for (const [args, expected, mend] of [
    [
      ['--client', 'claude', '--claude', '/nowhere/claude'],
      1,
      /not a program that can be run; name/,
    ],
    [
      ['--client', 'claude'],
      1,
      /no claude on PATH; install Claude Code .* or name it with --claude/,
    ],
    [['--turns', '5'], 2, /--claude and --turns are for --client claude/],
    [['--client', 'claude', '--turns', '0'], 2, /must be a number from 1/],
  ] as const) {
    test(`drill burst ${args.join(' ')}`, async (t) => {
      const home = await tempHome(t);
      const env = { PATH: path.dirname(process.execPath) };
      const all = ['drill', 'burst', ...args, '--home', home];
      const { code, stderr } = await runCommand(all, { home, env });
      assert.equal(code, expected, stderr);
      assert.match(stderr, mend);
    });
  }
});

test('a Claude Code that dies within its turns fails the drill, and is told of', async (t) => {
  const home = await tempHome(t);
  const program = path.join(home, 'claude');
  await writeFile(program, '#!/bin/sh\nread turn\necho no luck >&2\nexit 7\n', { mode: 0o755 });
  const args = ['drill', 'burst', '--count', '8', '--client', 'claude', '--claude', program];
  const { code, stdout, stderr } = await runCommand([...args, '--home', home, '--json'], { home });
  assert.equal(code, 1);
  const value = JSON.parse(stdout) as Summary;
  assert.deepEqual([value.errors, value.exchanges], [{ died: 8 }, 0]);
  assert.deepEqual(failing(value), ['streams']);
  const told = stderr.match(/: died: "it ended with exit code 7: no luck"/g);
  assert.equal(told?.length, AGENT_NOTES_MAX);
});
