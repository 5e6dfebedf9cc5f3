/**
 * A whole drill against the twin, through a go-between that does to the exchanges what no proxy should:
 * each sabotage must fail the drill, and the honest go-between must pass it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { test } from 'node:test';

import { listen } from '../listen.ts';
import {
  type Fault,
  type FaultPlan,
  startTwin,
  type Twin,
  type TwinEndpoint,
} from '../twin/index.ts';
import { type PlanOptions, planOf } from './plan.ts';
import { createRawClient } from './raw-client.ts';
import { describe, progressLine, summary } from './report.ts';
import { type DrillOutcome, type Progress, runDrill } from './run.ts';
import type { DrillLane, DrillRecord } from './types.ts';

interface Scene {
  after(run: () => Promise<void> | void): void;
}

type Sabotage = 'none' | 'byte' | 'end' | 'lane' | 'stall' | 'record' | Unfaithful;
/** What can be done to an answer that is broken off. */
type Unfaithful = 'clean end' | 'byte before the cut' | 'end before the cut' | 'error as an answer';

const LANES: readonly DrillLane[] = ['zai', 'anthropic'];

interface Go {
  readonly url: URL;
  readonly records: DrillRecord[];
  /** Resolves with the first request. */
  readonly asked: Promise<void>;
}

/** What the go-between delivered of one answer, for its ledger. */
interface Delivered {
  readonly status: number;
  readonly text: string;
  readonly isEvents: boolean;
  readonly requestId: string | null;
  readonly err: string | null;
  readonly intact: boolean;
}

/** What the ledger of a proxy would hold. */
function recordOf(lane: DrillLane, model: string, body: Buffer, what: Delivered): DrillRecord {
  const { status, text, isEvents, intact } = what;
  const end = text.includes('event: error')
    ? 'upstream_error'
    : intact && text.includes('event: message_stop')
      ? 'complete'
      : 'cut';
  const said = end === 'upstream_error' || status === 500 ? '5xx' : null;
  return {
    lane,
    decision: lane === 'zai' ? 'forced_model' : 'default',
    model,
    op: body.includes('"stream":true') ? 'stream' : 'nonstream',
    status,
    sse: isEvents ? end : null,
    err_type: what.err ?? (status === 429 ? '429' : said),
    intact,
    retry: false,
    bytes_down: text.length,
    request_id: what.requestId,
  };
}

async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The upstream's answer, or null where it gave none. */
function ask(endpoint: TwinEndpoint, body: Buffer): Promise<http.IncomingMessage | null> {
  const { origin, basePath, key, ca } = endpoint;
  return new Promise((resolve) => {
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
    onward.on('response', resolve);
    onward.on('error', () => resolve(null));
    onward.end(body);
  });
}

/** Takes a request to an upstream, and its answer back, spoilt or not. */
async function carry(
  endpoint: TwinEndpoint,
  body: Buffer,
  response: http.ServerResponse,
  sabotage: Sabotage,
): Promise<Delivered> {
  const answer = await ask(endpoint, body);
  if (answer === null) return answerSelf(response, sabotage);
  const pieces: Buffer[] = [];
  const tell = (bytes: Buffer): void => {
    pieces.push(bytes);
    response.write(bytes);
  };
  const status = answer.statusCode ?? 500;
  const { 'content-type': type = '', 'request-id': id } = answer.headers;
  const isEvents = type.startsWith('text/event-stream');
  response.writeHead(status, {
    'content-type': type,
    ...(id === undefined ? {} : { 'request-id': id }),
  });
  let held: Buffer = Buffer.alloc(0);
  answer.on('data', (bytes: Buffer) => {
    if (sabotage === 'byte') bytes[bytes.length >> 1] = 0x21;
    if (sabotage === 'end' && bytes.includes('message_stop')) return;
    // One piece is held back, so that something can be done to the last one.
    if (held.length > 0) tell(held);
    held = bytes;
  });
  const cut = await new Promise<boolean>((resolve) => {
    answer.once('end', () => resolve(false));
    answer.once('error', () => resolve(true));
  });
  if (cut && sabotage === 'byte before the cut') held[0] = 0x21;
  tell(cut && sabotage === 'end before the cut' ? held.subarray(0, -1) : held);
  // FIN behind what was written, without the last chunk.
  if (cut && sabotage !== 'clean end') response.write('', () => response.socket?.end());
  else response.end();
  const text = Buffer.concat(pieces).toString('latin1');
  return {
    status,
    text,
    isEvents,
    requestId: id ? String(id) : null,
    err: cut ? 'net' : null,
    intact: !cut,
  };
}

/** An error of its own, or what passes for an answer. */
function answerSelf(response: http.ServerResponse, sabotage: Sabotage): Delivered {
  const text = '{"type":"error"}';
  const status = sabotage === 'error as an answer' ? 200 : 502;
  response.writeHead(status, status === 200 ? {} : { 'x-lanekeeper-error': 'upstream_reset' });
  response.end(text);
  return { status, text, isEvents: false, requestId: null, err: 'net', intact: false };
}

/** Every fifth exchange suffers; each one that the upstream breaks off, where that is the sabotage. */
async function goBetween(t: Scene, twin: Twin, sabotage: Sabotage): Promise<Go> {
  const records: DrillRecord[] = [];
  const asked = Promise.withResolvers<void>();
  let nth = 0;
  const server = http.createServer(async (request, response) => {
    nth += 1;
    const suffers = nth % 5 === 0 || sabotage.includes(' ') ? sabotage : 'none';
    asked.resolve();
    const body = await bodyOf(request);
    const model = /"model":"([^"]+)"/.exec(body.toString())?.[1] ?? '';
    const [right, wrong] = model.includes('haiku') ? LANES : LANES.toReversed();
    assert(right !== undefined && wrong !== undefined);
    if (suffers === 'stall') {
      const left = { status: 0, text: '', isEvents: true, requestId: null, err: null };
      records.push(recordOf(right, model, body, { ...left, intact: false }));
      return;
    }
    const lane = suffers === 'lane' ? wrong : right;
    const delivered = await carry(twin[lane], body, response, suffers);
    if (suffers !== 'record') records.push(recordOf(lane, model, body, delivered));
  });
  const port = await listen(server, '127.0.0.1', 0);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: new URL(`http://127.0.0.1:${port}`), records, asked: asked.promise };
}

interface Options extends PlanOptions {
  readonly faults?: FaultPlan;
  readonly stop?: (go: Go) => AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

async function drill(t: Scene, sabotage: Sabotage, options: Options = {}): Promise<DrillOutcome> {
  const { stop, onProgress, faults, ...sizes } = options;
  const twin = await startTwin(faults === undefined ? {} : { faults });
  t.after(() => twin.close());
  const go = await goBetween(t, twin, sabotage);
  return runDrill({
    plan: planOf('burst', { concurrency: 2, ...sizes }),
    client: () =>
      createRawClient({
        url: go.url,
        via: 'gateway',
        ca: null,
        credential: ['x-api-key', 'fake-canary'],
        session: 'session',
        // A slow machine is no stall.
        stallMs: sabotage === 'stall' ? 1_000 : 30_000,
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

/** Each kind that an upstream can do to one request, on every third. */
const KINDS: readonly Fault[] = [
  { kind: 'status', status: 500 },
  { kind: 'concurrency', max: 0 },
  { kind: 'html' },
  { kind: 'reset_before_head' },
  { kind: 'reset_mid_stream', after_events: 2 },
  { kind: 'end_mid_stream', how: 'close' },
  { kind: 'end_mid_stream', how: 'truncate' },
  { kind: 'stall_before_head', ms: 5 },
  { kind: 'stall_mid_stream', ms: 5 },
  { kind: 'drip', bytes: 900, every_ms: 1 },
  { kind: 'bad_json' },
  { kind: 'error_event' },
  { kind: 'latency', ms: 3 },
  { kind: 'split', sizes: [1, 40, 400] },
];

const every = (fault: Fault): FaultPlan => ({ rules: [{ match: { every: 3 }, fault }] });

for (const fault of KINDS) {
  const name = fault.kind + ('how' in fault ? ` ${fault.how}` : '');
  test(`an honest go-between passes with every third exchange under ${name}`, async (t) => {
    const outcome = await drill(t, 'none', { faults: every(fault) });
    assert.deepEqual(failing(outcome), [], JSON.stringify(outcome.checks));
    const { whole, spoilt, exchanges, faults } = outcome.counts;
    assert(spoilt >= 8, String(spoilt));
    assert.equal(whole + spoilt, exchanges);
    assert.deepEqual(Object.fromEntries(faults), {
      [fault.kind]: { met: spoilt, delivered: spoilt },
    });
  });
}

for (const [sabotage, fault, errors] of [
  ['clean end', { kind: 'end_mid_stream', how: 'close' }, ['cut']],
  ['clean end', { kind: 'reset_mid_stream', lull_ms: 200 }, ['cut']],
  ['byte before the cut', { kind: 'reset_mid_stream', lull_ms: 200 }, ['altered']],
  ['end before the cut', { kind: 'end_mid_stream', how: 'close' }, ['altered']],
  ['error as an answer', { kind: 'reset_before_head' }, ['cut']],
] as const) {
  test(`a go-between that makes of ${fault.kind} a ${sabotage} fails the drill`, async (t) => {
    const outcome = await drill(t, sabotage, { faults: every(fault) });
    assert.equal(outcome.ok, false);
    assert(failing(outcome).includes('streams'));
    assert.deepEqual([...outcome.counts.errors.keys()], errors);
    const count = outcome.counts.faults.get(fault.kind);
    assert(count !== undefined && count.met >= 8 && count.delivered === 0, JSON.stringify(count));
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
