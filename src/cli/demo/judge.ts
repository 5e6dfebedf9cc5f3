/**
 * Judges the demo from three sides that must agree: what the client heard, what the ledger says, and
 * what reached the two upstreams.
 */
import type { UsageRecord } from '../../ledger/record.ts';
import { headerOf, type ReceivedRequest } from '../../twin/types.ts';
import {
  ACCOUNT_CANARY,
  CLIENT_CANARY,
  type DemoRequest,
  type Heard,
  ZAI_CANARY,
  ZAI_MODEL,
} from './plan.ts';

/** One request of the demo and everything seen of it. */
export interface Seen {
  readonly request: DemoRequest;
  readonly heard: Heard | null;
  /** The ledger's record; null where there is none. */
  readonly record: UsageRecord | null;
  /** What reached the upstream of its lane; null where nothing did. */
  readonly received: ReceivedRequest | null;
}

/** All that reached the upstreams. */
export interface Arrived {
  readonly anthropic: readonly ReceivedRequest[];
  readonly zai: readonly ReceivedRequest[];
}

/** Puts together what belongs together. Requests went one after the other, so the order is the key. */
export function joinSeen(
  plan: readonly DemoRequest[],
  heard: readonly (Heard | null)[],
  records: readonly UsageRecord[],
  arrived: Arrived,
): readonly Seen[] {
  const next = { anthropic: 0, zai: 0 };
  return plan.map((request, index) => {
    const received = arrived[request.lane][next[request.lane]] ?? null;
    next[request.lane] += 1;
    return { request, heard: heard[index] ?? null, record: records[index] ?? null, received };
  });
}

/** What is off; empty where all is well. */
export function judge(
  seen: readonly Seen[],
  records: readonly UsageRecord[],
  arrived: Arrived,
): string[] {
  const faults = seen.flatMap((one, index) =>
    judgeOne(one).map((fault) => `request ${index + 1} (${one.request.model}): ${fault}`),
  );
  const sent = seen.length;
  const reached = arrived.anthropic.length + arrived.zai.length;
  if (records.length !== sent)
    faults.push(`${sent} requests, but ${records.length} ledger records`);
  if (reached !== sent) faults.push(`${sent} requests, but ${reached} reached an upstream`);
  return [...faults, ...judgeIsolation(arrived)];
}

function judgeOne({ request, heard, record, received }: Seen): string[] {
  const faults: string[] = [];
  const expect = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault);
  };
  const decision = request.lane === 'zai' ? 'forced_model' : 'default';
  const model = request.lane === 'zai' ? ZAI_MODEL : request.model;
  expect(heard?.status === 200, 'the client got no good answer');
  expect(heard?.text === request.answer, 'the client heard another text than was said');
  expect(heard?.whole === true, 'the client heard no proper end');
  expect(record?.lane === request.lane, `the ledger does not show lane ${request.lane}`);
  expect(record?.decision === decision, `the ledger does not show decision ${decision}`);
  expect(record?.intact === true, 'the ledger does not call the answer intact');
  expect(
    !request.stream || record?.sse === 'complete',
    'the ledger does not call the stream complete',
  );
  expect(
    received !== null && modelOf(received) === model,
    `no request for ${model} reached ${request.lane}`,
  );
  return faults;
}

function judgeIsolation({ anthropic, zai }: Arrived): string[] {
  const faults: string[] = [];
  for (const request of anthropic) {
    const own = headerOf(request.rawHeaders, 'authorization') === `Bearer ${CLIENT_CANARY}`;
    if (!own) faults.push('a request reached anthropic without the client’s own credential');
    if (contains(request, ZAI_CANARY)) faults.push('the zai key reached anthropic');
  }
  for (const request of zai) {
    if (!contains(request, ZAI_CANARY)) faults.push('a request reached zai without its key');
    if (contains(request, CLIENT_CANARY)) faults.push('the client’s credential reached zai');
    if (contains(request, ACCOUNT_CANARY)) faults.push('the client’s account id reached zai');
  }
  return faults;
}

/** The model that an upstream was asked for. */
export function modelOf(request: ReceivedRequest): string {
  try {
    const body: unknown = JSON.parse(request.body.toString('utf8'));
    return typeof body === 'object' && body !== null && 'model' in body ? String(body.model) : '';
  } catch {
    return '';
  }
}

function contains(request: ReceivedRequest, canary: string): boolean {
  const fields = request.rawHeaders.some(([, value]) => value.includes(canary));
  return fields || request.path.includes(canary) || request.body.includes(canary);
}
