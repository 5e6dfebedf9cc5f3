/** The order of a comparison and what fails it, over clients whose times are made up. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import type { ReceivedRequest } from '../twin/types.ts';
import { type AbOutcome, type AbRecord, type AbSideName, runAb } from './ab.ts';
import { type AbCase, abCasesOf } from './ab-plan.ts';
import { describeAb, summaryAb } from './ab-report.ts';
import { received } from './testing/exchange.ts';
import type { DrillClient, DrillRequest, Heard } from './types.ts';
import type { WitnessedTwin } from './witness.ts';

const BODY = '{"type":"message"}';
const SHA256 = createHash('sha256').update(BODY).digest('hex');

interface Scene {
  readonly plan?: Partial<AbCase>;
  /** How long an exchange of that side takes, ms, by the number of its block. */
  readonly latency?: (side: AbSideName, block: number) => number;
  /** What the ledger of a side says. */
  readonly record?: (side: AbSideName) => Partial<AbRecord>;
  /** What a client heard, where that is not as it should be. */
  readonly heard?: (side: AbSideName) => Partial<Heard>;
  /** Aborted after so many blocks. */
  readonly blocksMax?: number;
}

interface Played {
  readonly outcome: AbOutcome;
  /** The sides in the order of their blocks. */
  readonly blocks: readonly AbSideName[];
}

/** A twin whose clients put into it what they ask. */
function fakeTwin(): WitnessedTwin & { take(request: DrillRequest): void } {
  const taken = { anthropic: [] as ReceivedRequest[], zai: [] as ReceivedRequest[] };
  const lane = (name: 'anthropic' | 'zai') => ({
    requests: () => [...taken[name]],
    clear: () => {
      taken[name] = [];
    },
  });
  return {
    anthropic: lane('anthropic'),
    zai: lane('zai'),
    faults: () => ({ seed: 1, rules: [] }),
    take: (request) => {
      const answer = { requestId: null, bytes: BODY.length, sha256: SHA256 };
      taken[request.lane].push(received(request.tag, answer));
    },
  };
}

async function play(scene: Scene): Promise<Played> {
  const [first] = abCasesOf('http2', { count: 8, concurrency: 1 });
  assert(first !== undefined);
  const plan: AbCase = { ...first, ...scene.plan };
  const twin = fakeTwin();
  const blocks: AbSideName[] = [];
  const controller = new AbortController();
  const records = { a: [] as AbRecord[], b: [] as AbRecord[] };
  const ask = (side: AbSideName, request: DrillRequest): Heard => {
    if (request.tag.endsWith('-000000000')) blocks.push(side);
    twin.take(request);
    records[side].push({
      lane: request.lane,
      decision: 'default',
      model: request.model,
      op: request.stream ? 'stream' : 'nonstream',
      status: 200,
      sse: request.stream ? 'complete' : null,
      err_type: null,
      intact: true,
      retry: false,
      bytes_down: BODY.length,
      request_id: null,
      h2: side === 'b',
      header_mode: null,
      ...scene.record?.(side),
    });
    const latencyMs = scene.latency?.(side, blocks.length) ?? 10;
    return {
      status: 200,
      own: null,
      requestId: null,
      bytes: BODY.length,
      sha256: SHA256,
      ended: true,
      closed: true,
      stream: request.stream ? { stopped: true, error: null } : null,
      ttfbMs: latencyMs / 2,
      latencyMs,
      failure: null,
      sent: true,
      ...scene.heard?.(side),
    };
  };
  const client = (side: AbSideName) => (): DrillClient => ({
    ask: async (request) => ask(side, request),
    close: async () => undefined,
  });
  const side = (name: AbSideName) => ({
    client: client(name),
    records: async () =>
      (async function* () {
        yield* records[name];
      })(),
  });
  let told = 0;
  const outcome = await runAb({
    plan,
    sides: { a: side('a'), b: side('b') },
    twin,
    stop: controller.signal,
    onProgress: () => {
      told += 1;
      if (told === scene.blocksMax) controller.abort();
    },
  });
  return { outcome, blocks };
}

function failing({ a, b, sides }: AbOutcome): string[] {
  return [...a.checks, ...b.checks, sides].flatMap(({ met, name }) =>
    met === false ? [name] : [],
  );
}

test('blocks alternate in pairs, one pair goes before, and a difference is no failure', async () => {
  const { outcome, blocks } = await play({
    plan: { pairs: 4 },
    // The warm-up is slow; then the machine drifts, B always takes a half more.
    latency: (side, block) => (block <= 2 ? 999 : block) * (side === 'a' ? 10 : 15),
  });
  assert.equal(blocks.join(''), 'ababbaabba');
  const [latency, ttfb] = outcome.comparisons;
  assert.deepEqual([latency?.name, latency?.pairs, ttfb?.name], ['latency', 4, 'ttfb']);
  assert(latency !== undefined && latency.a < 100, String(latency?.a));
  assert.match(latency.verdict, /^B slower by \d+/);
  assert.deepEqual(failing(outcome), []);
  assert.equal(outcome.ok, true);
  // The warm-up is judged with the rest.
  assert.deepEqual([outcome.a.counts.whole, outcome.b.h2], [20, 20]);
});

test('a side that is not what it is called fails', async () => {
  for (const [mark, record] of [
    ['h2', () => ({ h2: false })],
    ['h2', () => ({ h2: true })],
    ['none', () => ({ h2: true })],
    ['header_mode', () => ({ header_mode: 'x-api-key' })],
  ] as const) {
    const { outcome } = await play({ plan: { mark }, record });
    assert.deepEqual(failing(outcome), ['sides']);
    assert.equal(outcome.ok, false);
  }
  const record = (side: AbSideName) => ({
    header_mode: side === 'a' ? 'x-api-key' : 'authorization',
  });
  assert.equal((await play({ plan: { mark: 'header_mode' }, record })).outcome.ok, true);
});

test('what fails one side fails the comparison, and is named for it', async () => {
  const { outcome } = await play({ heard: (side) => (side === 'b' ? { sha256: 'other' } : {}) });
  assert.deepEqual(failing(outcome), ['streams']);
  assert.deepEqual(outcome.b.counts.errors, new Map([['altered', 12]]));
  const how = { client: 'raw', via: 'connect' } as const;
  const text = describeAb([{ outcome, ledgers: ['/a', '/b'] }], how);
  assert.match(text, /^ {2}NOT MET +B streams: 0 of 12 whole/m);
  assert.match(text, /^ {2}met +A streams: 12 of 12 whole/m);
  assert.equal(summaryAb([{ outcome, ledgers: [] }], how).ok, false);
  const misrouted = await play({ record: (side) => (side === 'a' ? { lane: 'zai' } : {}) });
  assert.deepEqual(failing(misrouted.outcome), ['routing']);
});

test('told to stop, it measures whole pairs alone and judges all that was', async () => {
  // Warm-up, two pairs, and one block of the third.
  const { outcome, blocks } = await play({ plan: { pairs: 50 }, blocksMax: 7 });
  assert.equal(blocks.length, 7);
  assert.equal(outcome.interrupted, true);
  assert.equal(outcome.comparisons[0]?.pairs, 2);
  assert.equal(outcome.a.counts.exchanges + outcome.b.counts.exchanges, 28);
  assert.deepEqual(failing(outcome), []);
});

test('a time that is over still has two pairs', async () => {
  const { outcome } = await play({ plan: { pairs: null, ms: 0.001 } });
  assert.equal(outcome.comparisons[0]?.pairs, 2);
});

test('uploads are told in bytes a second, and in the report with their distance', async () => {
  const [, uploads] = abCasesOf('http2', { count: 4, concurrency: 2 });
  assert(uploads !== undefined);
  const { outcome } = await play({ plan: uploads, record: () => ({ h2: false }) });
  const throughput = outcome.comparisons.find(({ name }) => name === 'throughput');
  assert(throughput !== undefined && throughput.a > 0);
  const how = { client: 'raw', via: 'connect' } as const;
  const text = describeAb([{ outcome, ledgers: [] }], how);
  assert.match(
    text,
    /blocks of 2 exchanges of 1 MB each, 2 clients; an emulated round trip of 30 ms/,
  );
  const [value] = summaryAb([{ outcome, ledgers: [] }], how).comparisons;
  assert.equal(value?.emulated_rtt_ms, 30);
  assert.equal(value?.quantities['throughput']?.pairs, 2);
});
