/**
 * A session by hand, as users run it, and its judgement: drills, checks on demand, handoff, gates,
 * bundle; and what must be refused.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { usageLine } from '../src/ledger/lines.ts';
import type { Gate } from '../src/session/gates/types.ts';
import { PLACES } from '../src/session/places.ts';
import type { SessionRecord } from '../src/session/record.ts';
import { BEGIN, goodRuns, madeRecord, writeHome } from '../src/session/testing/made-session.ts';
import { type CommandResult, runCommand, startCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { readRecords, startProxyProcess } from './support/proxy-process.ts';

const KEY = 'fake/zai+key-of-tests-0123456789';

/** Runs commands in one home. */
function commandsIn(home: string, env: Readonly<Record<string, string>> = {}) {
  return (...args: string[]): Promise<CommandResult> =>
    runCommand([...args, '--home', home], { home, env });
}

function gatesIn({ stdout }: CommandResult): Gate[] {
  return (JSON.parse(stdout) as { gates: Gate[] }).gates;
}

function failing(gates: readonly Gate[]): string[] {
  return gates.flatMap(({ name, met }) => (met ? [] : [name]));
}

function sessionIn(home: string): SessionRecord {
  return JSON.parse(readFileSync(path.join(home, 'results/SESSION.json'), 'utf8')) as SessionRecord;
}

function filesIn(home: string): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(home, path.join(entry.parentPath, entry.name)));
}

describe('a session by hand', () => {
  test('that was too short meets every gate but stability, which tells its length', async (t) => {
    const home = await tempHome(t);
    const run = commandsIn(home, { ZAI_API_KEY: KEY });
    for (const args of [
      ['drill', 'warmup', '--new-session'],
      ['drill', 'soak', '--minutes', '0.05', '--pause-ms', '20'],
      ['drill', 'parallel', '--count', '12'],
      ['drill', 'burst', '--count', '8'],
      ['verify', 'isolation', '--count', '1'],
      ['handoff'],
    ]) {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 0, `${args.join(' ')}\n${stdout}${stderr}`);
    }
    const judged = await run('gates', '--json');
    const gates = gatesIn(judged);
    assert.equal(judged.code, 1);
    assert.deepEqual(Object.keys(JSON.parse(judged.stdout) as object), ['gates']);
    assert.deepEqual(
      gates.map((gate) => Object.keys(gate)),
      gates.map(() => ['name', 'met', 'evidence']),
    );
    assert.deepEqual(failing(gates), ['stability'], judged.stdout);
    assert.match(
      gates[1]?.evidence.reasons.join('\n') ?? '',
      /^the longest soak lasted 0\.0\d minutes; 30 are needed$/,
    );

    const { phases } = sessionIn(home);
    assert.deepEqual(
      phases.map(({ name, verdict, lanes, client }) => [name, verdict, lanes, client]),
      ['warmup', 'soak', 'parallel', 'burst', 'isolation'].map((name) => [
        name,
        'met',
        'twin',
        'raw',
      ]),
    );
    const criteria = readFileSync(path.join(home, 'docs/P0-EXIT-CRITERIA.md'), 'utf8');
    assert.match(criteria, /- \[x\] \*\*routing\*\*: met; /);
    assert.match(criteria, /- \[ \] \*\*stability\*\*: NOT MET; soak 0\.0\d of 30 minutes/);

    const bundle = await run('bundle');
    assert.equal(bundle.code, 0, bundle.stderr);
    const archive = bundle.stdout.split('\n')[0] ?? '';
    const listed = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n');
    for (const name of [
      'MANIFEST.json',
      'logs/usage.jsonl',
      'results/SESSION.json',
      'docs/SESSION_HANDOFF.md',
    ]) {
      assert(listed.includes(name), name);
    }
    assert(!listed.some((name) => /(?:^|\/)ca\/|\.env|body-samples/.test(name)));
    // What a command writes and no search looks into could hide a secret.
    for (const file of filesIn(home)) {
      assert(
        PLACES.some((place) => file === place || file.startsWith(`${place}/`)),
        file,
      );
    }
  });

  test('that was long enough and went well meets all, and exits with 0', async (t) => {
    const home = await tempHome(t);
    await writeHome(home, Object.values(goodRuns()));
    const run = commandsIn(home);
    assert.equal((await run('handoff')).code, 0);
    const { code, stdout } = await run('gates');
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /^routing +met +128 of 128 Haiku exchanges on zai, 108 of 108 others on anthropic$/m,
    );
    assert.match(
      stdout,
      /^stability +met +soak 31 of 30 minutes, 236 of 236 streams complete and intact$/m,
    );
    assert.match(stdout, /^criteria: .*P0-EXIT-CRITERIA\.md$/m);
  });

  test('with a secret in a log fails safety, and has no bundle; nobody shows the secret', async (t) => {
    const home = await tempHome(t);
    await writeHome(home, Object.values(goodRuns()));
    writeFileSync(
      path.join(home, 'logs/lanekeeper.log'),
      `{"a":1}\n{"k":${JSON.stringify(KEY)}}\n`,
    );
    const run = commandsIn(home, { ZAI_API_KEY: KEY });
    assert.equal((await run('handoff')).code, 0);
    const judged = await run('gates', '--json');
    assert.deepEqual([judged.code, failing(gatesIn(judged))], [1, ['safety']]);
    const bundle = await run('bundle');
    assert.equal(bundle.code, 1);
    for (const text of [judged.stdout, bundle.stderr]) {
      assert.match(text, /logs\/lanekeeper\.log:2 holds ZAI_API_KEY/);
      assert(!text.includes(KEY));
    }
    const refused = await run('bundle', '--json');
    assert.equal(refused.code, 1);
    assert.deepEqual(JSON.parse(refused.stdout), {
      ok: false,
      findings: [{ file: 'logs/lanekeeper.log', line: 2, what: 'ZAI_API_KEY' }],
    });
    assert(!filesIn(home).some((file) => file.endsWith('.tgz')));
  });

  test('whose record is damaged is refused by name, with the mend', async (t) => {
    const home = await tempHome(t);
    await writeHome(home, Object.values(goodRuns()));
    writeFileSync(path.join(home, 'results/SESSION.json'), '{"half');
    const { code, stderr } = await commandsIn(home)('gates');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /SESSION\.json is no JSON; begin a new session \(drill NAME --new-session\)/,
    );
  });
});

describe('a drill', () => {
  test('adds itself to the session, and begins a new one where it is told to', async (t) => {
    const home = await tempHome(t);
    const run = commandsIn(home);
    await run('drill', 'burst', '--count', '2');
    const first = sessionIn(home);
    await run('drill', 'burst', '--count', '4', '--fault-rate', '0.5', '--fault-seed', '7');
    const second = sessionIn(home);
    assert.deepEqual([second.id, second.phases.length], [first.id, 2]);
    const faults = second.phases[1]?.faults;
    assert.equal(faults?.name, 'mix');
    assert((faults?.rules ?? 0) > 0);
    await run('drill', 'burst', '--count', '2', '--new-session');
    const third = sessionIn(home);
    assert.notEqual(third.id, first.id);
    assert.equal(third.phases.length, 1);
    assert.equal(third.phases[0]?.figures.exchanges, 2);
    assert.equal(readdirSync(path.join(home, 'results')).length, 2);
  });

  test('whose records no home keeps leaves no session behind', async (t) => {
    const home = await tempHome(t);
    const { code } = await runCommand(['drill', 'burst', '--count', '2', '--twin'], { home });
    assert.equal(code, 0);
    assert.deepEqual(filesIn(home), []);
  });

  test('that is interrupted is kept as that, and counts as none that met its checks', async (t) => {
    const home = await tempHome(t);
    const args = ['drill', 'burst', '--count', '100000', '--home', home];
    const { child, done } = startCommand(args, { home });
    await readRecords(home, 2);
    child.kill('SIGINT');
    assert.equal((await done).code, 130);
    const [phase] = sessionIn(home).phases;
    assert.equal(phase?.verdict, 'interrupted');
    const gates = gatesIn(await commandsIn(home)('gates', '--json'));
    assert.match(
      gates[1]?.evidence.reasons.join('\n') ?? '',
      /^no burst that met its checks was recorded$/m,
    );
  });

  test('that fails is kept as not met, with what failed', async (t) => {
    const home = await tempHome(t);
    const file = path.join(home, 'lanekeeper.yaml');
    writeFileSync(file, 'routes: [{ name: wrong, when: { model: "*sonnet*" }, lane: zai }]\n');
    const run = commandsIn(home);
    assert.equal((await run('drill', 'burst', '--count', '4', '--config', file)).code, 1);
    const [phase] = sessionIn(home).phases;
    assert.equal(phase?.verdict, 'not_met');
    assert.equal(phase?.figures.misroutes, 2);
    const judged = await run('gates', '--json');
    const routing = gatesIn(judged)[0];
    assert.equal(routing?.met, false);
    assert.match(
      routing?.evidence.reasons.join('\n') ?? '',
      /^2 exchanges of no Haiku model on zai/,
    );
  });
});

describe('verify sse', () => {
  test('compares a stream of each lane byte for byte, alone and by its script', async (t) => {
    const home = await tempHome(t);
    const { code, stdout } = await commandsIn(home)('verify', 'sse', '--json');
    assert.equal(code, 0);
    const value = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(
      [value['exchanges'], value['whole'], value['compared_with_upstreams'], value['lanes']],
      [2, 2, true, { anthropic: 1, zai: 1 }],
    );
    const script = path.join(import.meta.dirname, '..', 'scripts', 'verify-sse.sh');
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, LANEKEEPER_HOME: home };
    const scripted = await promisify(execFile)(script, [], { cwd: '/', env });
    assert.match(scripted.stdout, /^met +streams: 2 of 2 whole, byte for byte as sent$/m);
  });

  test('takes the proxy that runs, and fails where a lane is the wrong one', async (t) => {
    const { home } = await startProxyProcess(t);
    const { code, stdout } = await commandsIn(home)('verify', 'sse');
    assert.equal(code, 1);
    assert.match(stdout, /against the running proxy at 127\.0\.0\.1:\d+, its twin behind it/);
    assert.match(stdout, /^NOT MET +routing: .*lanekeeper force on$/m);
  });
});

describe('verify routing', () => {
  test('judges the ledger, and exits with 1 for one exchange on the wrong lane', async (t) => {
    const home = await tempHome(t);
    await writeHome(home, Object.values(goodRuns()));
    const run = commandsIn(home);
    assert.equal((await run('verify', 'routing')).code, 0);
    const lost = madeRecord(BEGIN + 5.5, true, null, {
      lane: 'anthropic',
      upstream: 'anth',
      rid: 'lost-1',
    });
    appendFileSync(path.join(home, 'logs/usage.jsonl'), `${usageLine(lost)}\n`);
    const { code, stdout } = await run('verify', 'routing');
    assert.equal(code, 1);
    assert.match(stdout, /^routing: 1 Haiku exchange on anthropic .*\(lost-1\)$/m);
  });

  test('--live says what the running proxy would decide, as its switches stand', async (t) => {
    const { home } = await startProxyProcess(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const run = commandsIn(home);
    assert.equal((await run('drill', 'burst', '--count', '4')).code, 0);
    const live = await run('verify', 'routing', '--live');
    assert.equal(live.code, 0, live.stdout + live.stderr);
    assert.match(live.stdout, /^Haiku, of the main loop +zai +forced_model +right$/m);
    await run('force', 'off');
    const off = await run('verify', 'routing', '--live', '--json');
    assert.equal(off.code, 1);
    const { live: decided } = JSON.parse(off.stdout) as {
      live: { request: string; lane: string; right: boolean }[];
    };
    const wrong = decided.filter(({ right }) => !right).map(({ request }) => request);
    assert.equal(wrong.length, 4, off.stdout);
    assert(!wrong.includes('Haiku, of a subagent'), 'the default route sends it to zai');
    await run('pause');
    const paused = await run('verify', 'routing', '--live');
    assert.equal(paused.code, 1);
    assert.match(paused.stdout, /^Haiku, of a subagent +anthropic +paused +WRONG$/m);
  });

  test('--live without a proxy says so, with the mend', async (t) => {
    const home = await tempHome(t);
    const { code, stderr } = await commandsIn(home)('verify', 'routing', '--live');
    assert.equal(code, 1);
    assert.match(stderr, /no proxy is running for .*; start one with lanekeeper start/);
  });
});
