/**
 * The bench measures: a short run over loopback leaves complete rows, tables and a plot. How long anything took
 * is not looked at.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createAnswerReader, eachMark } from '../bench/load/answer-reader.ts';
import { cpuOf } from '../bench/load/cpu.ts';
import { createRequestReader } from '../bench/load/request-reader.ts';
import {
  bodyBytesOf,
  clockUs,
  DELTAS,
  deltaEvent,
  EVENTS,
  FIRST_EVENTS,
  LAST_EVENTS,
} from '../bench/load/wire.ts';
import type { CellRow, Row, StartRow, TargetRow } from '../bench/rows.ts';
import { pairs, spreadOf, spreadText } from '../bench/statistics.ts';

const run = promisify(execFile);
const BENCH = fileURLToPath(new URL('../bench/run.ts', import.meta.url));
const RUN_MS_MAX = 240_000;
const CELLS = ['small', 'stream', 'small-gateway', 'small-h2'];
const TARGETS = ['lanekeeper', 'node-pump'];
const EXCHANGES = 40;
const LINUX = process.platform === 'linux';

describe('a run', () => {
  let rows: readonly Row[] = [];
  let tables = '';
  let plot = '';

  let folder = '';

  after(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'lanekeeper-bench-'));
    const out = path.join(folder, 'results');
    const few = [
      '--rounds',
      '1',
      '--exchanges',
      String(EXCHANGES),
      '--starts',
      '1',
      '--parts',
      'load,start',
    ];
    const what = ['--targets', TARGETS.join(','), '--cells', CELLS.join(',')];
    const where = ['--out', out, '--work', path.join(folder, 'work')];
    await run(process.execPath, [BENCH, ...few, ...what, ...where], {
      timeout: RUN_MS_MAX,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
    });
    const raw = await readFile(path.join(out, 'raw.jsonl'), 'utf8');
    rows = raw
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    tables = await readFile(path.join(out, 'tables.md'), 'utf8');
    plot = await readFile(path.join(out, 'plot.svg'), 'utf8');
  });

  test('finds that both targets do their job', () => {
    const targets = rows.filter((row): row is TargetRow => row.row === 'target');
    assert.deepEqual(targets.map(({ target }) => target).sort(), TARGETS);
    for (const { problem } of targets) assert.equal(problem, null);
  });

  for (const cell of CELLS) {
    test(`measures ${cell} of both, and of the upstream without a proxy`, () => {
      const own = rows.filter((row): row is CellRow => row.row === 'cell' && row.cell === cell);
      assert.deepEqual(own.map(({ target }) => target).sort(), ['direct', ...TARGETS]);
      for (const row of own) isComplete(row);
    });
  }

  test('measures a start of each', () => {
    const starts = rows.filter((row): row is StartRow => row.row === 'start');
    assert.deepEqual(starts.map(({ target }) => target).sort(), [...TARGETS, 'node -e 0'].sort());
    for (const { portMs, answerMs } of starts) assert(portMs > 0 && answerMs >= portMs);
  });

  test('writes tables and a plot of them', () => {
    for (const cell of CELLS) assert(tables.includes(`\n## ${cell}: `), cell);
    assert.match(tables, /^## Cold start/m);
    if (!LINUX) return;
    assert.match(
      tables,
      /^## CPU of the proxy's processes an exchange, as a multiple of node-pump's$/m,
    );
    assert.match(plot, /^<svg .*<\/svg>\n$/s);
    assert.doesNotMatch(plot, /NaN|undefined|Infinity/);
  });
});

function isComplete({ target, measured, seen, memory }: CellRow): void {
  assert.equal(measured.errors, 0, `${target}: ${measured.firstError}`);
  assert.equal(measured.exchanges, EXCHANGES, target);
  assert.equal(seen.first + seen.second, EXCHANGES, target);
  assert(measured.seconds > 0);
  assert.equal(seen.wrongKey, 0);
  // Haiku goes to the second upstream with us, and with nobody who does not look.
  assert.equal(seen.second, target === 'lanekeeper' ? EXCHANGES / 4 : 0);
  if (!LINUX || target === 'direct') return;
  assert(measured.cpu.proxy !== null && measured.cpu.proxy > 0);
  assert.equal(memory.length, target === 'lanekeeper' ? 2 : 1);
  for (const { rss, pss, peak } of memory) assert(rss > 0 && pss > 0 && peak > 0);
}

test('a cell that is not known is refused, with what can be said', async () => {
  const refused = run(process.execPath, [BENCH, '--cells', 'nothing']);
  await assert.rejects(refused, { code: 2, stderr: /there is no cell nothing\nusage: / });
});

describe('where an answer ends', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const cases: readonly [string, string, number][] = [
    ['by its length', `${head}Content-Length: 5\r\n\r\nhello`, 5],
    ['without a body', `${head}content-length: 0\r\n\r\n`, 0],
    [
      'by its last chunk',
      `${head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n`,
      13,
    ],
    ['behind a trailer', `${head}transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n`, 1],
  ];
  for (const [name, text, bytes] of cases) {
    test(`${name}, cut anywhere`, () => {
      const whole = Buffer.from(text, 'latin1');
      for (let cut = 0; cut < whole.length; cut += 1) {
        const reader = createAnswerReader();
        for (let again = 0; again < 2; again += 1) {
          const early = cut === 0 ? null : reader.read(whole.subarray(0, cut));
          assert.equal(early, null, `cut at ${cut}`);
          const answered = reader.read(whole.subarray(cut));
          assert.deepEqual(answered, { status: 200, bodyBytes: bytes, close: false });
        }
      }
    });
  }

  test('not at all, where it has no length', () => {
    assert.throws(() => createAnswerReader().read(Buffer.from(`${head}\r\n`)), /without a length/);
  });
});

test('where a request ends, cut anywhere', () => {
  const whole = Buffer.from('POST /v1/messages HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc');
  for (let cut = 1; cut < whole.length; cut += 1) {
    const seen: string[] = [];
    const read = createRequestReader(
      (head, bytes, body) => seen.push(`${head.slice(0, 4)} ${bytes} ${Buffer.concat(body)}`),
      () => true,
    );
    for (let again = 0; again < 2; again += 1) {
      read(whole.subarray(0, cut));
      read(whole.subarray(cut));
    }
    assert.deepEqual(seen, ['POST 3 abc', 'POST 3 abc'], `cut at ${cut}`);
  }
});

test('the time in a mark of a paced event is read', () => {
  const times = [17, 1_234_567_890_123_456];
  const seen: number[] = [];
  eachMark(Buffer.from(times.map((time) => deltaEvent(1, time)).join('')), (sentUs) => {
    seen.push(sentUs);
  });
  assert.deepEqual(seen, times);
});

test('the events of a stream are as long as is expected of them', () => {
  const deltas = Array.from({ length: DELTAS }, (_, index) => deltaEvent(index, clockUs()));
  const whole = [...FIRST_EVENTS, ...deltas, ...LAST_EVENTS].join('');
  assert.equal(whole.match(/^event: /gm)?.length, EVENTS);
  assert.equal(Buffer.byteLength(whole), bodyBytesOf({ kind: 'stream', everyMs: 0 }));
});

test('CPU of a process is what the process itself is told', { skip: !LINUX }, () => {
  const before = cpuOf([process.pid]) ?? 0;
  const own = process.cpuUsage();
  let used = 0;
  while (used < 100_000) {
    const { user, system } = process.cpuUsage(own);
    used = user + system;
  }
  const seconds = (cpuOf([process.pid]) ?? 0) - before;
  assert(seconds > 0.08 && seconds < 0.2, `${seconds} s for ${used} µs`);
});

describe('figures over rounds', () => {
  test('have a median, a least and a most', () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 });
    assert.deepEqual(spreadOf([1, 4, 2, 3]), { median: 2.5, min: 1, max: 4 });
    assert.equal(spreadOf([]), null);
    assert.equal(spreadText([1000, 2000, 1500]), '1,500 (1,000–2,000)');
    assert.equal(spreadText([1]), '1.00');
    assert.equal(spreadText([]), '-');
  });

  test('are compared within the same round', () => {
    const one = new Map([
      [1, 10],
      [2, 30],
    ]);
    const other = new Map([
      [2, 15],
      [3, 1],
    ]);
    assert.deepEqual(
      pairs(one, other, (a, b) => a / b),
      [2],
    );
  });
});
