/** The client on real processes that speak as Claude Code does, well or badly. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';

import { type ClaudeOptions, createClaudeClient } from './claude-client.ts';
import { planOf, requestOf } from './plan.ts';
import type { DrillClient, Heard } from './types.ts';

interface Scene {
  after(run: () => Promise<void>): void;
}

/** What it does with every second turn; the first of each pair it does well. */
type Manner =
  | 'well'
  | 'pieces'
  | 'other text'
  | 'nothing to show'
  | 'overloaded'
  | 'gives up'
  | 'dies'
  | 'dies unasked'
  | 'garbage'
  | 'silent';

/** Reads turns and says what they ask it to say. */
const SCRIPT = `
const manner = process.argv[1];
const print = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
const begin = () => print({ type: 'stream_event', event: { type: 'message_start' } });
const report = (more) =>
  print({ type: 'result', subtype: 'success', is_error: false, api_error_status: null, ...more });
const manners = {
  well: (text) => { begin(); report({ result: text }); },
  pieces: (text) => {
    const line = Buffer.from(JSON.stringify({ type: 'result', subtype: 'success', result: text }) + '\\n');
    const next = (at) => {
      if (at < line.length) process.stdout.write(line.subarray(at, at + 1), () => setImmediate(next, at + 1));
    };
    next(0);
  },
  'other text': (text) => { begin(); report({ result: text.slice(0, -1) }); },
  'nothing to show': () => { begin(); report({ result: '' }); },
  overloaded: () => report({ is_error: true, api_error_status: 529, result: 'Overloaded' }),
  'gives up': () => report({ is_error: true, result: 'Connection dropped' }),
  dies: () => { begin(); process.stderr.write('out of luck', () => process.exit(7)); },
  'dies unasked': () => process.exit(1),
  garbage: () => process.stdout.write('Segmentation fault\\n'),
  silent: () => begin(),
};
let turns = 0;
let rest = '';
process.stdin.setEncoding('utf8').on('data', (piece) => {
  const lines = (rest + piece).split('\\n');
  rest = lines.pop();
  for (const line of lines) {
    const { type, message } = JSON.parse(line);
    if (type !== 'user' || message.role !== 'user') process.exit(3);
    turns += 1;
    const text = /say ([^\\]]*)\\] \\(drill/.exec(message.content)[1];
    manners[turns % 2 === 0 ? manner : 'well'](text);
  }
});
`;

interface Stage {
  readonly client: DrillClient;
  readonly children: ChildProcessWithoutNullStreams[];
  readonly told: string[];
  /** Exchange number so many of the drill. */
  ask(index: number): Promise<Heard>;
}

function stage(t: Scene, manner: Manner, more: Partial<ClaudeOptions> = {}): Stage {
  const children: ChildProcessWithoutNullStreams[] = [];
  const told: string[] = [];
  const client = createClaudeClient({
    start: () => {
      const child = spawn(process.execPath, ['-e', SCRIPT, manner], { env: {} });
      children.push(child);
      return child;
    },
    simulated: true,
    notes: '/home/dev/notes.txt',
    turnsMax: 100,
    stallMs: 20_000,
    tell: (trouble) => void told.push(trouble),
    ...more,
  });
  t.after(() => client.close());
  // All of one lane, so that one process has all turns.
  const ask = (index: number) => client.ask(requestOf(planOf('parallel'), index, true));
  return { client, children, told, ask };
}

/** The second turn of a process, which it takes in its manner. */
async function second(t: Scene, manner: Manner, more: Partial<ClaudeOptions> = {}) {
  const { ask, told, children } = stage(t, manner, more);
  const first = await ask(0);
  assert.deepEqual([first.failure, first.status, first.closed], [null, 200, true]);
  assert.deepEqual(told, []);
  const heard = await ask(1);
  const after = await ask(2);
  return { heard, after, told, children };
}

test('a turn is an answer of so many bytes of text, with the times of its first sign and its end', async (t) => {
  const { heard, told } = await second(t, 'well');
  const { ttfbMs, latencyMs, bytes, ...rest } = heard;
  assert.deepEqual(rest, {
    status: 200,
    own: null,
    requestId: null,
    sha256: null,
    ended: true,
    closed: true,
    stream: null,
    failure: null,
    sent: true,
  });
  assert(ttfbMs !== null && ttfbMs <= latencyMs);
  assert(bytes > 20);
  assert.deepEqual(told, []);
});

test('a report in pieces, cut within letters, is the same report', async (t) => {
  const { heard } = await second(t, 'pieces');
  assert.deepEqual([heard.failure, heard.closed, heard.ttfbMs], [null, true, null]);
});

for (const [manner, expected, told] of [
  ['other text', ['altered', 200, true], /drill-000000001: it showed .* in place of /],
  ['nothing to show', ['altered', 200, true], /it showed "" in place of/],
  ['overloaded', [null, 529, true], /HTTP 529: "Overloaded"/],
  ['gives up', ['gave_up', 0, true], /gave_up: "Connection dropped"/],
  ['dies', ['died', 0, true], /died: "it ended with exit code 7: out of luck"/],
  ['dies unasked', ['died', 0, false], /died: "it ended with exit code 1: "/],
  ['garbage', ['protocol', 0, false], /protocol: "it printed: Segmentation fault"/],
  ['silent', ['stall', 0, true], /stall: "silent for 4000 ms"/],
] as const) {
  test(`an agent of manner "${manner}" fails the turn by its name, and the next conversation goes well`, async (t) => {
    const more = manner === 'silent' ? { stallMs: 4_000 } : {};
    const { heard, after, ...seen } = await second(t, manner, more);
    assert.deepEqual([heard.failure, heard.status, heard.sent], expected);
    assert.equal(after.failure, null);
    assert.equal(seen.told.length, 1);
    assert.match(seen.told[0] ?? '', told);
    assert.equal(seen.children.length, 2);
  });
}

test('a process has no more turns than it may, and the one before has ended when the next begins', async (t) => {
  const { ask, children } = stage(t, 'well', { turnsMax: 2 });
  for (const index of [0, 1, 2, 3, 4]) assert.equal((await ask(index)).failure, null);
  assert.equal(children.length, 3);
  assert.deepEqual(
    children.map(({ exitCode }) => exitCode),
    [0, 0, null],
  );
});

test('each model has a process of its own', async (t) => {
  const models: string[] = [];
  const { client } = stage(t, 'well', {
    start: (model) => {
      models.push(model);
      return spawn(process.execPath, ['-e', SCRIPT, 'well'], { env: {} });
    },
  });
  for (const index of [0, 1, 2, 3]) await client.ask(requestOf(planOf('burst'), index, true));
  assert.deepEqual(models, ['sonnet', 'haiku']);
});

test('a program that can not be started is a death', async (t) => {
  const { ask } = stage(t, 'well', { start: () => spawn('/nowhere/claude') });
  const heard = await ask(0);
  assert.deepEqual([heard.failure, heard.sent], ['died', false]);
});

test('a client that is closed abandons its turn, and no process of it is left', async (t) => {
  const { client, ask, children, told } = stage(t, 'silent');
  await ask(0);
  const cut = ask(1);
  await once(children[0]?.stdout ?? process.stdout, 'data');
  await client.close();
  assert.equal((await cut).failure, 'abandoned');
  assert.equal((await ask(2)).failure, 'abandoned');
  assert.deepEqual(
    children.map(({ signalCode }) => signalCode),
    ['SIGKILL'],
  );
  assert.deepEqual(told, []);
});

test('one that waits for its next turn is let go', async (t) => {
  const { client, ask, children } = stage(t, 'well');
  await ask(0);
  await client.close();
  assert.deepEqual(
    children.map(({ exitCode }) => exitCode),
    [0],
  );
});
