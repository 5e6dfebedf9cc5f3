/** Each gate over evidence that is good, and over evidence of which one thing is not. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { usageLine } from '../../ledger/lines.ts';
import type { UsageRecord } from '../../ledger/record.ts';
import { writeDeliverables } from '../deliverables.ts';
import type { Phase } from '../record.ts';
import {
  BEGIN,
  goodRuns,
  type MadeRun,
  madeRecord,
  madeRun,
  writeHome,
} from '../testing/made-session.ts';
import { judgeGates } from './judge.ts';
import { gatesText } from './text.ts';
import type { Gate } from './types.ts';

interface Cleanup {
  after(run: () => Promise<void>): void;
}

type Runs = ReturnType<typeof goodRuns>;

/** What a test makes of a session that is good. */
interface Spoilt {
  /** Changes the runs before they are written. */
  readonly runs?: (runs: Runs) => readonly MadeRun[];
  readonly records?: readonly UsageRecord[];
  /** Files of the home, written before the session is handed over, and after. */
  readonly before?: Readonly<Record<string, string | Buffer>>;
  readonly after?: (home: string) => void;
  readonly teeNow?: boolean;
}

const SECRETS = [{ name: 'ZAI_API_KEY', value: 'fake/zai+key=of-tests-0123456789' }];
const NOW = (BEGIN + 3_600) * 1_000;
const INSIDE = BEGIN + 100.5;

async function judged(t: Cleanup, spoilt: Spoilt = {}): Promise<readonly Gate[]> {
  const home = await mkdtemp(join(tmpdir(), 'lanekeeper-gates-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  const runs = goodRuns();
  await writeHome(home, spoilt.runs?.(runs) ?? Object.values(runs), spoilt.records);
  for (const [name, content] of Object.entries(spoilt.before ?? {})) {
    mkdirSync(dirname(join(home, name)), { recursive: true });
    writeFileSync(join(home, name), content);
  }
  const facts = { secrets: SECRETS, teeNow: spoilt.teeNow ?? null };
  await writeDeliverables(home, { ...facts, versions: {}, toggles: {}, now: NOW });
  spoilt.after?.(home);
  return judgeGates(home, facts);
}

function failing(gates: readonly Gate[]): string[] {
  return gates.flatMap(({ name, met }) => (met ? [] : [name]));
}

function reasonsOf(gates: readonly Gate[], name: string): string {
  return gates.find((gate) => gate.name === name)?.evidence.reasons.join('\n') ?? '';
}

function phaseOf(run: MadeRun, more: Partial<Phase>): MadeRun {
  return { ...run, phase: { ...run.phase, ...more } };
}

test('a session in which all went well meets every gate, with its figures', async (t) => {
  const gates = await judged(t);
  assert.deepEqual(failing(gates), [], gatesText(gates));
  assert.deepEqual(
    gates.map(({ name }) => name),
    ['routing', 'stability', 'safety', 'observability'],
  );
  const [routing, stability, safety, observability] = gates.map(({ evidence }) => evidence);
  // A soak of 186, 20 at once, a burst of 30; all but the 20 in turn.
  assert.deepEqual(routing?.['haiku'], { exchanges: 128, on_zai: 128 });
  assert.deepEqual(routing?.['other'], { exchanges: 108, on_anthropic: 108 });
  assert.equal(stability?.['soak_minutes'], 31);
  assert.equal(safety?.['findings_in_all'], 0);
  assert.deepEqual(observability?.['recount'], { exchanges: 236 });
  assert.equal(observability?.['records'], 236);
});

describe('routing is not met', () => {
  for (const [what, record, reason] of [
    [
      'by one Haiku exchange on anthropic',
      { lane: 'anthropic', upstream: 'anth', decision: 'default', rid: 'lost-1' },
      /^1 Haiku exchange on anthropic \(upstream anth\) by default \(lost-1\)$/,
    ],
    [
      'by one that was sent there since routing was paused',
      { lane: 'anthropic', upstream: 'anth', decision: 'paused' },
      /^1 Haiku exchange on anthropic \(upstream anth\) by paused/,
    ],
    [
      'by one whose upstream is not its lane’s',
      { upstream: 'anth' },
      /^1 Haiku exchange on zai \(upstream anth\)/,
    ],
    [
      'by a fallback of anything but count_tokens',
      { lane: 'anthropic', upstream: 'anth', decision: 'fallback' },
      /^1 Haiku exchange on anthropic \(upstream anth\) by fallback/,
    ],
    [
      'by one Opus exchange on zai',
      { model: 'claude-opus-5-5', decision: 'rule:mine' },
      /^1 exchange of no Haiku model on zai \(upstream zai\) by rule:mine/,
    ],
    [
      'by one without a model on zai',
      { model: null, decision: 'passthrough', path: '/v1/files' },
      /^1 exchange of no Haiku model on zai \(upstream zai\) by passthrough/,
    ],
  ] as const) {
    test(what, async (t) => {
      const gates = await judged(t, { records: [madeRecord(INSIDE, true, null, record)] });
      assert.deepEqual(failing(gates), ['routing']);
      assert.match(reasonsOf(gates, 'routing'), reason);
    });
  }

  test('where no Haiku exchange was recorded', async (t) => {
    const gates = await judged(t, {
      runs: ({ burst }) => [
        { ...burst, records: burst.records.filter(({ lane }) => lane === 'anthropic') },
      ],
    });
    assert.match(reasonsOf(gates, 'routing'), /^no Haiku exchange was recorded$/m);
  });

  test('where a drill saw a request at the wrong upstream', async (t) => {
    const gates = await judged(t, {
      runs: ({ soak, parallel, burst }) => [
        soak,
        parallel,
        phaseOf(burst, { figures: { ...burst.phase.figures, misroutes: 2 } }),
      ],
    });
    assert.match(reasonsOf(gates, 'routing'), /^drill burst saw 2 misroutes$/m);
  });
});

describe('routing is met', () => {
  const elsewhere = { lane: 'anthropic', upstream: 'anth' } as const;
  for (const [what, record] of [
    [
      'where count_tokens fell back',
      { ...elsewhere, decision: 'fallback', path: '/v1/messages/count_tokens' },
    ],
    [
      'with other paths on the default lane',
      { ...elsewhere, model: null, decision: 'passthrough', path: '/v1/models' },
    ],
    ['whatever was before the session', { ...elsewhere, ts: BEGIN - 1 }],
    ['whatever came after it', { ...elsewhere, ts: BEGIN + 3_000 }],
  ] as const) {
    test(what, async (t) => {
      const gates = await judged(t, { records: [madeRecord(INSIDE, true, null, record)] });
      assert.deepEqual(failing(gates), []);
    });
  }

  test('by a drill that moves Haiku by the switch, which is counted apart', async (t) => {
    const moved = madeRun('soak', BEGIN + 2_000, 60, {
      phase: { alternates: 'force' },
      record: { model: 'claude-haiku-5-5' },
    });
    const gates = await judged(t, { runs: (runs) => [...Object.values(runs), moved] });
    assert.deepEqual(failing(gates), []);
    const apart = gates[0]?.evidence['moved_by_a_switch'];
    assert.deepEqual(apart, { exchanges: 60, phases: ['soak'] });
  });
});

describe('stability is not met', () => {
  for (const [what, record, reason] of [
    ['cut', { sse: 'cut', intact: false }, /^1 stream cut$/m],
    ['stalled', { sse: 'stalled', intact: false }, /^1 stream stalled$/m],
    ['left', { sse: 'client_gone', intact: false }, /^1 stream left by the client$/m],
    ['ended by an error', { sse: 'upstream_error' }, /^1 stream ended by an error event$/m],
    ['altered', { intact: false }, /^1 exchange not delivered as received$/m],
    ['timed out', { sse: null, err_type: 'timeout', intact: false }, /^1 exchange timed out$/m],
  ] as const) {
    test(`by one stream that was ${what}`, async (t) => {
      const spoilt = madeRecord(INSIDE, true, null, { ...record, rid: 'spoilt-1' });
      const gates = await judged(t, { records: [spoilt] });
      assert.deepEqual(failing(gates), ['stability']);
      assert.match(reasonsOf(gates, 'stability'), reason);
      assert.match(reasonsOf(gates, 'stability'), /^the first of them \(spoilt-1\)$/m);
    });
  }

  for (const [what, change, reason] of [
    [
      'by a soak that was too short, and its length is told',
      ({ parallel, burst }) => [madeRun('soak', BEGIN, 29.5 * 60, { everyS: 10 }), parallel, burst],
      /^the longest soak lasted 29\.5 minutes; 30 are needed$/,
    ],
    [
      'by two soaks that only together are long enough',
      ({ parallel, burst }) => [
        madeRun('soak', BEGIN, 20 * 60, { everyS: 10 }),
        madeRun('soak', BEGIN + 1_300, 20 * 60, { everyS: 10 }),
        parallel,
        burst,
      ],
      /^the longest soak lasted 20 minutes; 30 are needed$/,
    ],
    [
      'by a soak that says it was longer than its records show',
      ({ parallel, burst }) => {
        const short = madeRun('soak', BEGIN, 300, { everyS: 10 });
        const claimed = { ...short.phase.figures, seconds: 40 * 60 };
        return [phaseOf(short, { figures: claimed }), parallel, burst];
      },
      /^the longest soak lasted 5\.\d+ minutes; 30 are needed$/,
    ],
    [
      'without a burst',
      ({ soak, parallel }) => [soak, parallel],
      /^no burst that met its checks was recorded$/,
    ],
    [
      'without a parallel run',
      ({ soak, burst }) => [soak, burst],
      /^no parallel that met its checks was recorded$/,
    ],
    [
      'by a soak under a fault plan alone',
      ({ soak, parallel, burst }) => [
        phaseOf(soak, { faults: { name: 'mix', rules: 3, met: { latency: 9 } } }),
        parallel,
        burst,
      ],
      /^no soak that met its checks was recorded; 30 minutes are needed$/,
    ],
    [
      'by a phase that failed a check',
      ({ soak, parallel, burst }) => [
        soak,
        parallel,
        burst,
        madeRun('chaos', BEGIN + 2_000, 5, {
          phase: {
            verdict: 'not_met',
            checks: [{ name: 'sockets', met: false, detail: '2 stuck' }],
          },
        }),
      ],
      /^chaos was not met: sockets: 2 stuck$/,
    ],
    [
      'by a phase that was interrupted',
      ({ soak, parallel, burst }) => [soak, parallel, phaseOf(burst, { verdict: 'interrupted' })],
      /^no burst that met its checks was recorded$/,
    ],
    [
      'where the ledger has not the records that a phase counted',
      ({ soak, parallel, burst }) => [
        soak,
        parallel,
        { ...burst, records: burst.records.slice(0, -1) },
      ],
      /^burst counted 30 records, the ledger holds 29 of it$/,
    ],
    [
      'by a stall that only the client saw',
      ({ soak, parallel, burst }) => [
        soak,
        parallel,
        phaseOf(burst, { figures: { ...burst.phase.figures, stalls: 1 } }),
      ],
      /^burst had 1 stall$/,
    ],
  ] as const satisfies readonly (readonly [string, (runs: Runs) => readonly MadeRun[], RegExp])[]) {
    test(what, async (t) => {
      const gates = await judged(t, { runs: change });
      assert.deepEqual(failing(gates), ['stability'], gatesText(gates));
      assert.match(reasonsOf(gates, 'stability'), reason);
    });
  }

  test('by no fault that was planned, and the plan is told', async (t) => {
    const faulty = madeRun('burst', BEGIN + 2_000, 10, {
      phase: { faults: { name: 'cuts.yaml', rules: 1, met: { reset_mid_stream: 10 } } },
      record: { sse: 'cut', intact: false },
    });
    const gates = await judged(t, { runs: (runs) => [...Object.values(runs), faulty] });
    assert.deepEqual(failing(gates), []);
    assert.deepEqual(gates[1]?.evidence['broken_on_purpose'], {
      exchanges: 10,
      phases: [{ name: 'burst', fault_plan: faulty.phase.faults }],
    });
  });
});

describe('safety is not met', () => {
  const { value } = SECRETS[0] ?? assert.fail();
  for (const [what, before, reason] of [
    [
      'by a known secret in a log',
      { 'logs/lanekeeper.log': `{"a":1}\n{"key":${JSON.stringify(value)}}\n` },
      /^logs\/lanekeeper\.log:2 holds ZAI_API_KEY$/,
    ],
    [
      'by one in base64',
      { 'results/note.txt': Buffer.from(`Basic x:${value}`).toString('base64') },
      /^results\/note\.txt:1 holds ZAI_API_KEY$/,
    ],
    [
      'by one in a URL',
      { 'run/x/state': `?k=${encodeURIComponent(value)}` },
      /^run\/x\/state:1 holds ZAI_API_KEY$/,
    ],
    [
      'by one in a file that was compressed since',
      { 'logs/usage-20261101T000000000Z.jsonl.gz': gzipSync(`\n\n${value}\n`) },
      /^logs\/usage-20261101T000000000Z\.jsonl\.gz:3 holds ZAI_API_KEY$/m,
    ],
    [
      'by what has the shape of a key, whosever it is',
      { 'logs/lanekeeper.log': 'x-api-key: sk-ant-fake-0123456789\n' },
      /^logs\/lanekeeper\.log:1 holds a key of Anthropic$/,
    ],
    [
      'by a private key that is not the leaf’s',
      {
        'ca/leaf-key.pem': '-----BEGIN PRIVATE KEY-----\n',
        'ca/ca-key.pem': '-----BEGIN PRIVATE KEY-----\n',
      },
      /^ca\/ca-key\.pem:1 holds a private key$/,
    ],
    [
      'by body samples of the session',
      { 'logs/body-samples.jsonl': `{"ts":${BEGIN - 5}}\n{"ts":${INSIDE}}\n` },
      /^the tee was on: 1 body sample in logs\/body-samples\.jsonl$/,
    ],
  ] as const) {
    test(what, async (t) => {
      const gates = await judged(t, { before });
      assert.deepEqual(failing(gates), ['safety']);
      assert.match(reasonsOf(gates, 'safety'), reason);
      assert(!JSON.stringify(gates).includes(value), 'the secret is not shown');
      assert.doesNotMatch(JSON.stringify(gates), /0123456789/);
    });
  }

  test('while the tee is on', async (t) => {
    const gates = await judged(t, { teeNow: true });
    assert.deepEqual(failing(gates), ['safety']);
    assert.match(reasonsOf(gates, 'safety'), /^the tee is on: turn it off/);
  });

  for (const [what, change, reason] of [
    [
      'where the tee was on when a phase began',
      { switches: { force: true, paused: false, tee: true } },
      /the tee was on when soak began/,
    ],
    [
      'where a credential arrived at another upstream',
      { isolation: { searched: { anthropic: 9, zai: 9 }, leaks: 1 } },
      /^1 request held another lane’s credential at an upstream$/,
    ],
  ] as const) {
    test(what, async (t) => {
      const runs = ({ soak, parallel, burst }: Runs) => [phaseOf(soak, change), parallel, burst];
      const gates = await judged(t, { runs });
      assert.deepEqual(failing(gates), ['safety']);
      assert.match(reasonsOf(gates, 'safety'), reason);
    });
  }

  test('where nobody looked at what the upstreams received', async (t) => {
    const runs = (all: Runs) => Object.values(all).map((run) => phaseOf(run, { isolation: null }));
    const gates = await judged(t, { runs });
    assert.deepEqual(failing(gates), ['safety']);
    assert.match(
      reasonsOf(gates, 'safety'),
      /^nobody looked at what the upstreams received: run verify isolation/,
    );
  });
});

describe('observability is not met', () => {
  const METRICS = 'results/METRICS.json';
  for (const [what, after, reason] of [
    [
      'by metrics that the ledger has outgrown',
      (home) =>
        appendFileSync(
          join(home, 'logs/usage.jsonl'),
          `${usageLine(madeRecord(BEGIN + 9_000, true, null))}\n`,
        ),
      /^results\/METRICS\.json differs from the ledger \(zai 128 there, 129 in the ledger\): run lanekeeper summarize$/,
    ],
    [
      'by one figure that is not the ledger’s',
      (home) => {
        const path = join(home, METRICS);
        writeFileSync(
          path,
          readFileSync(path, 'utf8').replaceAll('"output": 6480', '"output": 6481'),
        );
      },
      /^results\/METRICS\.json differs from the ledger \(anthropic 108 there, 108 in the ledger\)/,
    ],
    [
      'without metrics',
      (home) => rmSync(join(home, METRICS)),
      /^results\/METRICS\.json is not there: run lanekeeper summarize$/,
    ],
    [
      'by metrics that are none',
      (home) => writeFileSync(join(home, METRICS), '{}'),
      /^results\/METRICS\.json can not be read/,
    ],
    [
      'by a summary of other metrics',
      (home) => appendFileSync(join(home, 'results/SUMMARY.md'), 'all well'),
      /^results\/SUMMARY\.md is not of results\/METRICS\.json/,
    ],
    [
      'by a quoted line that is in no ledger',
      (home) =>
        appendFileSync(
          join(home, 'results/TESTS.md'),
          `\n${usageLine(madeRecord(BEGIN, true, 'f'))}\n`,
        ),
      /^results\/TESTS\.md quotes 1 line that the ledger of this session does not hold/,
    ],
    [
      'by tests that quote nothing',
      (home) => writeFileSync(join(home, 'results/TESTS.md'), '# Tests\n\nAll well.\n'),
      /^results\/TESTS\.md quotes no line of the ledger/,
    ],
    [
      'without a handoff',
      (home) => rmSync(join(home, 'docs/SESSION_HANDOFF.md')),
      /^docs\/SESSION_HANDOFF\.md is not there: run lanekeeper handoff$/,
    ],
    [
      'by the handoff of another session',
      (home) => {
        const path = join(home, 'docs/SESSION_HANDOFF.md');
        writeFileSync(path, readFileSync(path, 'utf8').replace('236 records', '235 records'));
      },
      /^docs\/SESSION_HANDOFF\.md is not of this session and its 236 records/,
    ],
    [
      'by a file that is older than the session',
      (home) => utimesSync(join(home, 'results/TESTS.md'), BEGIN - 1, BEGIN - 1),
      /^results\/TESTS\.md is older than the session$/,
    ],
  ] as const satisfies readonly (readonly [string, (home: string) => void, RegExp])[]) {
    test(what, async (t) => {
      const gates = await judged(t, { after });
      assert.deepEqual(failing(gates), ['observability']);
      assert.match(reasonsOf(gates, 'observability'), reason);
    });
  }
});

describe('without evidence', () => {
  test('no gate is met, and each says what it misses', async (t) => {
    const home = await mkdtemp(join(tmpdir(), 'lanekeeper-gates-'));
    t.after(() => rm(home, { recursive: true, force: true }));
    const gates = await judgeGates(home, { secrets: SECRETS, teeNow: null });
    assert.deepEqual(failing(gates), ['routing', 'stability', 'safety', 'observability']);
    assert.match(reasonsOf(gates, 'routing'), /^there is no ledger at /);
    assert.match(reasonsOf(gates, 'safety'), /^the program has written no file here$/m);
    writeFileSync(join(home, 'unrelated'), '');
    mkdirSync(join(home, 'logs'));
    writeFileSync(join(home, 'logs/usage.jsonl'), '');
    const empty = await judgeGates(home, { secrets: SECRETS, teeNow: null });
    assert.deepEqual(failing(empty), ['routing', 'stability', 'safety', 'observability']);
    assert.match(reasonsOf(empty, 'routing'), /^no Haiku exchange was recorded$/m);
    assert.match(reasonsOf(empty, 'stability'), /^no stream was recorded$/m);
    assert.match(reasonsOf(empty, 'observability'), /^no exchange of the session was recorded$/m);
  });

  test('of a session the whole ledger is judged, and stability is not met', async (t) => {
    const gates = await judged(t, { after: (home) => rmSync(join(home, 'results/SESSION.json')) });
    assert.equal(gates[0]?.met, true);
    assert.match(
      reasonsOf(gates, 'stability'),
      /^no session was recorded: results\/SESSION\.json is not there$/m,
    );
  });
});
