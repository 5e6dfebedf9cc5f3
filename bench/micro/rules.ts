/** Cells of what happens once a request: routing, header rules with the isolation check, its record. */
import type { LaneConfig } from '../../src/config/types.ts';
import { placesIn } from '../../src/core/json/testing/places.ts';
import type { RequestHead } from '../../src/core/message.ts';
import { decide, type RoutingTable } from '../../src/core/route.ts';
import { Secret } from '../../src/core/secret.ts';
import { createLanes } from '../../src/lanes/create.ts';
import type { Lane } from '../../src/lanes/lane.ts';
import { usageLine } from '../../src/ledger/lines.ts';
import type { UsageRecord } from '../../src/ledger/record.ts';
import type { Cell } from './cell.ts';
import { bodyOf, REQUEST_FIELDS } from './material.ts';

const WAIT_MS = 1000;
const KIB = 1024;
const MODEL = 'claude-haiku-5-5';

export function ruleCells(): Cell[] {
  return [...routing(), ...preparing(), ...recording()];
}

function routing(): Cell[] {
  const table: RoutingTable = {
    routes: [
      { decision: 'rule:opus', when: { model: '*opus*' }, lane: 'anthropic' },
      { decision: 'subagent', when: { model: '*haiku*', agent: 'subagent' }, lane: 'zai' },
    ],
    defaultLane: 'anthropic',
    forcedLane: null,
    paused: false,
  };
  const facts = { method: 'POST', path: '/v1/messages', model: MODEL, agent: 'subagent' } as const;
  const once = (): unknown => decide(facts, table);
  return [{ name: 'request: route decided, two rules', bytes: 0, floor: null, run: once }];
}

function preparing(): Cell[] {
  const body = [bodyOf(2 * KIB, 'first')];
  const length = String(body[0]?.length);
  const head: RequestHead = {
    method: 'POST',
    target: '/v1/messages?beta=true',
    version: '1.1',
    fields: [...REQUEST_FIELDS, ['Content-Length', length]],
    framing: { kind: 'length', length: Number(length) },
    keepAlive: true,
    upgrade: null,
    expectContinue: false,
  };
  const places = placesIn(body);
  const request = { head, clientProtocol: 'h1', body, model: MODEL, places } as const;
  const names = { passthrough: 'anthropic', keyed: 'zai' } as const;
  const configs = [
    laneOf(names.passthrough, null),
    laneOf(names.keyed, 'canary-key-of-nobody-0001'),
  ];
  const lanes = createLanes(new Map(configs.map((config) => [config.name, config])), {
    http2: 'follow',
    timeouts: { connectMs: WAIT_MS, tlsMs: WAIT_MS, headMs: WAIT_MS, idleMs: WAIT_MS },
  });
  return Object.entries(names).map(([kind, name]): Cell => {
    const lane = lanes.get(name) as Lane;
    return {
      name: `request: prepared for a ${kind} lane, 2 KiB`,
      bytes: 0,
      floor: null,
      run: () => lane.prepare(request),
    };
  });
}

function laneOf(name: string, key: string | null): LaneConfig {
  return {
    name,
    tag: name,
    upstream: { scheme: 'https', host: `${name}.test`, port: 443, basePath: '/api', ca: null },
    credentials:
      key === null
        ? { kind: 'passthrough' }
        : { kind: 'key', secret: Secret.of(key), header: 'x-api-key' },
    models: key === null ? [] : [['*haiku*', 'glm-4.5-air']],
    body: { userId: key === null ? 'keep' : 'drop', attribution: key === null ? 'keep' : 'drop' },
  };
}

function recording(): Cell[] {
  const record: UsageRecord = {
    ts: 1_767_225_600.123,
    rid: '0000000000000000',
    lane: 'anthropic',
    upstream: 'anth',
    decision: 'default',
    model: MODEL,
    model_sent: MODEL,
    model_served: MODEL,
    op: 'stream',
    status: 200,
    err_type: null,
    h2: false,
    header_mode: null,
    latency_ms: 2412.5,
    ttfb_ms: 812.25,
    input_tokens: 2095,
    output_tokens: 412,
    cache_read_tokens: 18_432,
    cache_write_tokens: 128,
    retry: false,
    attempts: 1,
    backoff_ms: 0,
    bytes_up: 200_000,
    bytes_down: 12_000,
    sse: 'complete',
    sse_events: 107,
    intact: true,
    agent: 'main',
    session: '0123456789abcdef',
    path: '/v1/messages',
    request_id: 'req_000000000000000000000000',
  };
  const floor = 'record: JSON.stringify alone';
  return [
    { name: 'record: line of a usage record', bytes: 0, floor, run: () => usageLine(record) },
    { name: floor, bytes: 0, floor: null, run: () => JSON.stringify(record) },
  ];
}
