/** What a session leaves for its reader, made of a home in which everything went well. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { usageLine } from '../ledger/lines.ts';
import { writeDeliverables } from './deliverables.ts';
import { ledgerLines } from './ledger-lines.ts';
import {
  BEGIN,
  goodRuns,
  type MadeRun,
  madeRecord,
  madeRun,
  writeHome,
} from './testing/made-session.ts';
import { quotedLines } from './tests-text.ts';

async function handedOver(
  t: { after(run: () => Promise<void>): void },
  runs: readonly MadeRun[],
): Promise<{ home: string; tests: string; handoff: string }> {
  const home = await mkdtemp(join(tmpdir(), 'lanekeeper-deliverables-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  await writeHome(home, runs, [madeRecord(BEGIN - 50, true, null, { rid: 'before' })]);
  await writeDeliverables(home, {
    secrets: [],
    teeNow: null,
    versions: { node: '26.0.0', commit: 'abc123+', claude: null },
    toggles: { FORCE_HAIKU_TO_ZAI: '1', ZAI_API_KEY: 'set' },
    now: Date.now(),
  });
  const read = (name: string): string => readFileSync(join(home, name), 'utf8');
  return { home, tests: read('results/TESTS.md'), handoff: read('docs/SESSION_HANDOFF.md') };
}

function sectionOf(text: string, title: string): string {
  return text.split('\n## ').find((section) => section.startsWith(title)) ?? '';
}

const WARMUP_CHECKS = [
  { name: 'T1 haiku on zai', met: true, detail: 'zai 1' },
  { name: 'T2 sonnet on anthropic', met: false, detail: 'anthropic 1' },
  { name: 'T3 medium stream', met: null, detail: 'no ledger' },
];

test('each test has its verdict and two to four lines that stand in the ledger', async (t) => {
  const warmup = madeRun('warmup', BEGIN - 20, 3, { phase: { checks: WARMUP_CHECKS } });
  const { home, tests } = await handedOver(t, [warmup, ...Object.values(goodRuns())]);
  const ledger = new Set<string>();
  for await (const { text } of ledgerLines(home)) ledger.add(text);
  for (const name of ['T1', 'T2', 'T3', 'soak', 'parallel', 'burst']) {
    const lines = quotedLines(sectionOf(tests, name));
    assert(lines.length >= 2 && lines.length <= 4, `${name}: ${lines.length}`);
    for (const line of lines) assert(ledger.has(line), line);
  }
  const lanes = (name: string): string[] =>
    quotedLines(sectionOf(tests, name)).map((line) => (JSON.parse(line) as { lane: string }).lane);
  assert.deepEqual([...new Set(lanes('T1'))], ['zai']);
  assert.deepEqual([...new Set(lanes('T2'))], ['anthropic']);
  assert.match(sectionOf(tests, 'T1'), /T1 haiku on zai met \(zai 1\)/);
  assert.match(sectionOf(tests, 'T2'), /T2 sonnet on anthropic NOT MET/);
  assert.match(sectionOf(tests, 'T3'), /T3 medium stream not judged/);
  assert.match(
    sectionOf(tests, 'chaos'),
    /Not run: no chaos was recorded\.\n\nNo record shows it\./,
  );
  // What was before the session shows nothing of it.
  assert(!tests.includes('before'));
});

test('lines of a phase are its first two and its last two', async (t) => {
  const { soak, parallel } = goodRuns();
  const { tests } = await handedOver(t, [soak, parallel]);
  const { records } = soak;
  const expected = [...records.slice(0, 2), ...records.slice(-2)].map(usageLine);
  assert.deepEqual(quotedLines(sectionOf(tests, 'soak')), expected);
});

test('the handoff says what was run and how, on what, and what was not met', async (t) => {
  const failed = madeRun('burst', BEGIN + 2_000, 10, {
    phase: {
      verdict: 'not_met',
      command: 'lanekeeper drill burst --faults a|b.yaml',
      faults: { name: 'a|b.yaml', rules: 1, met: {} },
    },
  });
  const { handoff } = await handedOver(t, [goodRuns().soak, failed]);
  assert.match(handoff, /put together from single drills\. 196 exchanges in the ledger/);
  assert.match(handoff, /Gates: routing met, stability \*\*not met\*\*, safety met\./);
  assert.match(handoff, /\| soak \| .* \| 31\.0 min \| twin \| raw \| - \| 186 \| met \|/);
  assert.match(handoff, /\| burst \| .* \| a\\\|b\.yaml \| 10 \| \*\*not met\*\* \|/);
  assert.match(
    handoff,
    /~~~sh\nlanekeeper drill soak\nlanekeeper drill burst --faults a\|b\.yaml\n~~~/,
  );
  assert.match(handoff, /\| `FORCE_HAIKU_TO_ZAI` \| 1 \|/);
  assert.match(handoff, /\| `commit` \| abc123\+ \|\n\| `claude` \| none \|/);
  assert.match(handoff, /- gate stability: no parallel that met its checks was recorded/);
  assert.match(handoff, /- phase burst: not met/);
  assert.match(handoff, /<!-- lanekeeper handoff: session [0-9a-f-]{36}, 196 records -->/);
});
