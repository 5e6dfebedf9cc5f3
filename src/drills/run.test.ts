/**
 * A whole drill against the twin, through a go-between that does to the exchanges what no proxy should:
 * each sabotage must fail the drill, and the honest go-between must pass it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { test } from 'node:test';

import { listen } from '../listen.ts';
import { startTwin, type Twin, type TwinEndpoint } from '../twin/index.ts';
import { type PlanOptions, planOf } from './plan.ts';
import { createRawClient } from './raw-client.ts';
import { describe, progressLine, summary } from './report.ts';
import { type DrillOutcome, type Progress, runDrill } from './run.ts';
import type { DrillLane, DrillRecord } from './types.ts';

interface Scene {
  after(run: () => Promise<void> | void): void;
}

type Sabotage = 'none' | 'byte' | 'end' | 'lane' | 'stall' | 'record';

const LANES: readonly DrillLane[] = ['zai', 'anthropic'];

interface Go {
  readonly url: URL;
  readonly records: DrillRecord[];
  /** Resolves with the first request. */
  readonly asked: Promise<void>;
}

/** What the ledger of a proxy would hold. */
function recordOf(lane: DrillLane, model: string, body: Buffer): DrillRecord {
  const op = body.includes('"stream":true') ? 'stream' : 'nonstream';
  const sse = op === 'stream' ? 'complete' : null;
  const decision = lane === 'zai' ? 'forced_model' : 'default';
  const seen = { attempts: 1, bytes_down: 10, request_id: 'req_1' };
  return { lane, decision, model, op, status: 200, sse, intact: true, ...seen };
}

async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Takes a request to an upstream, and its answer back, spoilt or not. */
function carry(
  { origin, basePath, key, ca }: TwinEndpoint,
  body: Buffer,
  response: http.ServerResponse,
  sabotage: Sabotage,
): void {
  const onward = https.request(`${origin}${basePath}/v1/messages`, {
    agent: false,
    ca,
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-api-key': key ?? 'fake-canary',
      'anthropic-version': '2023-06-01',
      'content-length': body.length,
    },
  });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 500);
    answer.on('data', (bytes: Buffer) => {
      if (sabotage === 'byte') bytes[bytes.length >> 1] = 0x21;
      if (sabotage !== 'end' || !bytes.includes('message_stop')) response.write(bytes);
    });
    answer.on('end', () => response.end());
  });
  onward.end(body);
}

/** Every fifth exchange suffers. */
async function goBetween(t: Scene, twin: Twin, sabotage: Sabotage): Promise<Go> {
  const records: DrillRecord[] = [];
  const asked = Promise.withResolvers<void>();
  let nth = 0;
  const server = http.createServer(async (request, response) => {
    nth += 1;
    const suffers = nth % 5 === 0 ? sabotage : 'none';
    asked.resolve();
    const body = await bodyOf(request);
    const model = /"model":"([^"]+)"/.exec(body.toString())?.[1] ?? '';
    const [right, wrong] = model.includes('haiku') ? LANES : LANES.toReversed();
    assert(right !== undefined && wrong !== undefined);
    if (suffers !== 'record') records.push(recordOf(right, model, body));
    if (suffers === 'stall') return;
    carry(twin[suffers === 'lane' ? wrong : right], body, response, suffers);
  });
  const port = await listen(server, '127.0.0.1', 0);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: new URL(`http://127.0.0.1:${port}`), records, asked: asked.promise };
}

interface Options extends PlanOptions {
  readonly stop?: (go: Go) => AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

async function drill(t: Scene, sabotage: Sabotage, options: Options = {}): Promise<DrillOutcome> {
  const twin = await startTwin();
  t.after(() => twin.close());
  const go = await goBetween(t, twin, sabotage);
  const { stop, onProgress, ...sizes } = options;
  return runDrill({
    plan: planOf('burst', { concurrency: 2, ...sizes }),
    client: () =>
      createRawClient({
        url: go.url,
        via: 'gateway',
        ca: null,
        credential: ['x-api-key', 'fake-canary'],
        session: 'session',
        stallMs: 300,
      }),
    proxy: {
      look: async () => ({ rssBytes: 1e8, heapBytes: 1e7, sockets: 2, handles: 20 }),
      records: async () =>
        (async function* () {
          yield* go.records;
        })(),
    },
    twin,
    simulated: true,
    stop: stop?.(go) ?? new AbortController().signal,
    ...(onProgress === undefined ? {} : { onProgress }),
  });
}

function failing(outcome: DrillOutcome): string[] {
  return outcome.checks.flatMap((check) => (check.met === false ? [check.name] : []));
}

test('an honest way there and back passes, and is counted', async (t) => {
  const outcome = await drill(t, 'none');
  assert.deepEqual(failing(outcome), []);
  assert.equal(outcome.ok, true);
  assert.equal(outcome.counts.exchanges, 30);
  assert.equal(outcome.counts.whole, 30);
  assert.deepEqual(Object.fromEntries(outcome.counts.lanes), { anthropic: 15, zai: 15 });
  assert.equal(outcome.ledger?.records, 30);
  assert.equal(outcome.counts.latency.count, 30);
});

for (const [sabotage, expected, errors] of [
  ['byte', ['streams'], { altered: 6 }],
  ['end', ['streams'], { altered: 6 }],
  ['lane', ['routing', 'streams'], { misroute: 6 }],
  ['stall', ['streams', 'stalls'], { stall: 6 }],
  ['record', ['records'], {}],
] as const) {
  test(`a go-between that spoils the ${sabotage} fails the drill`, async (t) => {
    const outcome = await drill(t, sabotage);
    assert.equal(outcome.ok, false);
    assert.deepEqual(failing(outcome), expected);
    // The plan has answers in one piece, which have no last event that could be left out.
    const seen = Object.fromEntries(outcome.counts.errors);
    if (sabotage === 'end') assert((seen['altered'] ?? 0) >= 3);
    else assert.deepEqual(seen, errors);
  });
}

test('a drill that is stopped finishes what is under way and says what it measured', async (t) => {
  const controller = new AbortController();
  const outcome = await drill(t, 'none', {
    count: 1_000_000,
    stop: ({ asked }) => {
      void asked.then(() => controller.abort());
      return controller.signal;
    },
  });
  assert.equal(outcome.interrupted, true);
  assert.deepEqual(failing(outcome), []);
  assert(outcome.counts.exchanges > 0 && outcome.counts.exchanges < 1_000);
  const setting = { client: 'raw', via: 'gateway', against: 'x', evidence: null } as const;
  assert.match(describe(outcome, setting), /INTERRUPTED/);
});

test('it ends with its time, tells how it goes, and reports what it prints', async (t) => {
  const told: Progress[] = [];
  const outcome = await drill(t, 'none', {
    minutes: 0.02,
    pauseMs: 5,
    onProgress: (progress) => void told.push(progress),
  });
  assert(outcome.seconds >= 1.2 && outcome.seconds < 10);
  const [first] = told;
  assert(first !== undefined);
  assert.match(progressLine(first), /^0:0\d {2}\d+ done {2}[\d.]+\/s {2}0 errors {2}anthropic \d+/);
  const setting = { client: 'raw', via: 'gateway', against: 'x', evidence: '/home/l' } as const;
  const value = summary(outcome, setting);
  assert.equal(value.exchanges, outcome.counts.exchanges);
  assert.equal(value.ledger?.records, outcome.counts.exchanges);
  assert.match(describe(outcome, setting), /\nmisroutes {2}0\n/);
});
