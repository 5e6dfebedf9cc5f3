/**
 * The long session as its users run it, the quick one: interrupted in the midst, gone on with, and
 * complete; and what it refuses.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { isRunning } from '../src/admin/client.ts';
import type { Gate } from '../src/session/gates/types.ts';
import type { Phase, SessionRecord } from '../src/session/record.ts';
import { TWIN_ZAI_KEY } from '../src/twin/index.ts';
import { runCommand, startCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';

interface Result {
  readonly ok: boolean;
  readonly phases: readonly Phase[];
  readonly gates: readonly Gate[];
  readonly bundle: string | null;
}

function recordOf(home: string): SessionRecord | null {
  const file = path.join(home, 'results', 'SESSION.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SessionRecord) : null;
}

test('a quick session: interrupted in its soak, gone on with, and all that it leaves', async (t) => {
  const home = await tempHome(t);
  // As in a checkout, whose documents show the key of the twin.
  mkdirSync(path.join(home, 'docs'));
  writeFileSync(path.join(home, 'docs', 'twin.md'), `twin zai-key ${TWIN_ZAI_KEY}\n`);
  const first = startCommand(['session', '--quick', '--home', home], { home });
  t.after(() => void first.child.kill('SIGKILL'));
  while (recordOf(home)?.phases.at(-1)?.name !== 'warmup') await wait(50);
  // It says so before the drill is under way; a moment later it is.
  await wait(2_000);
  first.child.kill('SIGINT');
  const interrupted = await first.done;
  assert.equal(interrupted.code, 130, interrupted.stderr);
  assert.match(interrupted.stderr, /interrupted: lanekeeper session --resume goes on with soak/);
  assert.equal(await isRunning(home), false);
  const begun = recordOf(home);
  assert.deepEqual(
    begun?.phases.map(({ name, verdict }) => [name, verdict]),
    [
      ['preflight', 'met'],
      ['warmup', 'met'],
      ['soak', 'interrupted'],
    ],
  );

  const args = ['session', '--quick', '--resume', '--ab', '--home', home, '--json'];
  const resumed = await runCommand(args, { home });
  assert.equal(resumed.code, 0, `${resumed.stdout}${resumed.stderr}`);
  assert.match(resumed.stderr, /warmup: done before/);
  const { ok, phases, gates, bundle } = JSON.parse(resumed.stdout) as Result;
  assert.equal(ok, true);
  assert.equal(recordOf(home)?.id, begun?.id);
  const met = phases.filter(({ verdict }) => verdict === 'met').map(({ name }) => name);
  assert.deepEqual(met, ['preflight', 'warmup', 'soak', 'parallel', 'burst', 'chaos', 'ab']);
  const compared = phases.at(-1)?.checks.map(({ name }) => name) ?? [];
  for (const name of ['http2 mixture latency', 'http2 uploads throughput', 'header-mode ttfb']) {
    assert(compared.includes(name), name);
  }
  assert.deepEqual(
    gates.map((gate) => [gate.name, gate.met]),
    [
      ['routing', true],
      ['stability', false],
      ['safety', true],
      ['observability', true],
    ],
  );
  const [why, ...others] = gates[1]?.evidence.reasons ?? [];
  assert.match(why ?? '', /^the longest soak lasted 0\.\d+ minutes; 30 are needed$/);
  assert.deepEqual(others, []);
  for (const file of [
    'VERSIONS.json',
    'results/METRICS.json',
    'results/SUMMARY.md',
    'results/TESTS.md',
    'docs/SESSION_HANDOFF.md',
    'docs/P0-EXIT-CRITERIA.md',
  ]) {
    assert(existsSync(path.join(home, file)), file);
  }
  assert(bundle !== null && existsSync(bundle));
  assert.deepEqual(readdirSync(path.join(home, 'run')), []);
});

test('what it does about what it meets: the other header, and waits where there is no room', async (t) => {
  const home = await tempHome(t);
  const rules = [
    {
      match: { persona: 'zai', header: 'x-api-key' },
      fault: { kind: 'auth_mode', refuses: 'x-api-key' },
    },
    // Behind the warm-up and the soak.
    { match: { persona: 'zai', skip: 40, times: 3 }, fault: { kind: 'status', status: 529 } },
  ];
  const file = path.join(home, 'faults.json');
  writeFileSync(file, JSON.stringify({ rules }));
  const args = ['session', '--quick', '--minutes', '0.02', '--faults', file, '--home', home];
  const { code, stderr } = await runCommand([...args, '--json'], { home });
  // Under a fault plan no phase stands for stability.
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /zai takes its key in authorization, not in x-api-key; the proxy keeps to that/,
  );
  assert.match(
    stderr,
    /3 answers were 429, 503 or 529: backoff is turned on, and the phase repeated/,
  );
  const phases = recordOf(home)?.phases ?? [];
  assert.equal(phases.filter(({ name }) => name === 'parallel').length, 2);
  const warmup = phases.find(({ name }) => name === 'warmup');
  assert(warmup?.checks.some(({ name, detail }) => name === 'header mode' && detail !== ''));
  // Of the warm-up one answer met a fault, and three shall be whole.
  const driven = phases.filter(({ name }) => name !== 'warmup');
  assert(driven.every(({ verdict }) => verdict === 'met'));
});

test('nothing to go on with is said', async (t) => {
  const home = await tempHome(t);
  const { code, stderr } = await runCommand(['session', '--resume', '--home', home], { home });
  assert.equal(code, 1);
  assert.match(stderr, /there is no session in .* to go on with; leave --resume out/);
});

test('a preflight that finds an error drives nothing', async (t) => {
  const home = await tempHome(t);
  // Forced without a key.
  const env = { FORCE_HAIKU_TO_ZAI: '1' };
  const args = ['session', '--quick', '--home', home];
  const { code, stderr } = await runCommand(args, { home, env });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /the preflight found what must be mended first; nothing was driven/);
  assert.deepEqual(
    recordOf(home)?.phases.map(({ name, verdict }) => [name, verdict]),
    [['preflight', 'not_met']],
  );
});
