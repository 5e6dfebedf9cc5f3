/**
 * What an exchange came to: the facts gathered on its way, and the ledger record made of them when
 * it has ended.
 */
import { agentOf, sessionIdOf } from '../core/agent.ts';
import { STALL_MS } from '../core/limits.ts';
import type { RequestHead } from '../core/message.ts';
import type { Clock, Delivery, UpstreamFailure } from '../core/ports.ts';
import { errTypeOf } from '../core/retry.ts';
import { type Agent, type Decision, isRouted } from '../core/route.ts';
import { type AnswerFacts, emptyFacts } from '../core/tap/facts.ts';
import type { Lane } from '../lanes/lane.ts';
import type { StreamHealth, UsageRecord } from '../ledger/record.ts';
import { sessionHash } from '../ledger/session-hash.ts';

/** Gathered while an exchange runs; written by the exchange alone. */
export interface Account {
  readonly rid: string;
  /** Unix ms. */
  readonly startedWall: number;
  /** Monotonic ms. */
  readonly started: number;
  readonly path: string;
  readonly agent: Agent | null;
  readonly session: string | null;
  lane: string;
  tag: string;
  decision: Decision;
  model: string | null;
  modelSent: string | null;
  streamAsked: boolean | null;
  headerMode: 'x-api-key' | 'authorization' | null;
  attempts: number;
  backoffMs: number;
  bytesUp: number;
  h2: boolean;
  status: number | null;
  /** Monotonic ms of the head of the answer that the client got. */
  headAt: number | null;
  requestId: string | null;
  /** Payload bytes of the answer received from the upstream, and their CRC-32. */
  received: number;
  crc: number;
  /** The upstream ended its answer properly. */
  upstreamEnded: boolean;
  /** The answer is our own, not an upstream's. */
  local: boolean;
  /** Monotonic ms of the last byte from the upstream. */
  lastByteAt: number;
  failure: UpstreamFailure | null;
}

/** The account of an exchange that begins now. */
export function openAccount(
  rid: string,
  head: RequestHead,
  path: string,
  lane: Lane,
  clock: Clock,
): Account {
  const started = clock.now();
  return {
    rid,
    startedWall: clock.wall(),
    started,
    path,
    agent: agentOf(head.fields),
    session: hashSession(sessionIdOf(head.fields)),
    lane: lane.name,
    tag: lane.tag,
    decision: isRouted(head.method, path) ? 'default' : 'passthrough',
    model: null,
    modelSent: null,
    streamAsked: null,
    headerMode: null,
    attempts: 0,
    backoffMs: 0,
    bytesUp: 0,
    h2: false,
    status: null,
    headAt: null,
    requestId: null,
    received: 0,
    crc: 0,
    upstreamEnded: false,
    local: false,
    lastByteAt: started,
    failure: null,
  };
}

/** True if every byte received was delivered, in order, and both sides ended properly. */
export function isIntact(account: Account, delivery: Delivery): boolean {
  return (
    !account.local &&
    account.upstreamEnded &&
    delivery.how === 'complete' &&
    delivery.bytes === account.received &&
    delivery.crc === account.crc
  );
}

/** How a stream ended, in the ledger's words. */
export function streamHealth(
  account: Account,
  facts: AnswerFacts,
  delivery: Delivery,
  now: number,
): StreamHealth {
  // A client that leaves at an error left because of it.
  if (facts.sawError) return 'upstream_error';
  const allHere = account.upstreamEnded && delivery.bytes === account.received;
  if (delivery.how === 'gone' && !(allHere && facts.sawStop)) {
    return now - account.lastByteAt >= STALL_MS ? 'stalled' : 'client_gone';
  }
  if (account.upstreamEnded && (facts.sawStop || facts.lost)) return 'complete';
  return account.failure?.code === 'idle_timeout' ? 'stalled' : 'cut';
}

/** The record of an ended exchange. */
export function usageRecord(
  account: Account,
  facts: AnswerFacts | null,
  sse: boolean,
  delivery: Delivery,
  now: number,
): UsageRecord {
  const read = facts ?? emptyFacts();
  const status = account.status ?? delivery.refused ?? null;
  return {
    ts: Math.round(account.startedWall) / 1000,
    rid: account.rid,
    lane: account.lane,
    upstream: account.tag,
    decision: account.decision,
    model: account.model,
    model_sent: account.modelSent ?? account.model,
    model_served: read.modelServed,
    op: (account.streamAsked ?? sse) ? 'stream' : 'nonstream',
    status,
    err_type: errorType(status, account, read),
    h2: account.h2,
    header_mode: account.headerMode,
    latency_ms: milliseconds(now - account.started),
    ttfb_ms: account.headAt === null ? null : milliseconds(account.headAt - account.started),
    input_tokens: read.usage.inputTokens,
    output_tokens: read.usage.outputTokens,
    cache_read_tokens: read.usage.cacheReadTokens,
    cache_write_tokens: read.usage.cacheWriteTokens,
    retry: account.attempts > 1,
    attempts: account.attempts,
    backoff_ms: Math.round(account.backoffMs),
    bytes_up: account.bytesUp,
    bytes_down: delivery.bytes,
    sse: sse ? streamHealth(account, read, delivery, now) : null,
    sse_events: sse ? read.events : 0,
    intact: isIntact(account, delivery),
    agent: account.agent,
    session: account.session,
    path: account.path,
    request_id: account.requestId,
  };
}

/** An error event inside a 200 counts as the status that the same error has elsewhere. */
function errorType(
  status: number | null,
  account: Account,
  facts: AnswerFacts,
): UsageRecord['err_type'] {
  const plain = errTypeOf(status, account.failure);
  if (plain !== null || !facts.sawError) return plain;
  switch (facts.errorType) {
    case 'rate_limit_error':
      return '429';
    case 'authentication_error':
      return '401';
    case 'invalid_request_error':
    case 'permission_error':
    case 'not_found_error':
    case 'request_too_large':
      return '4xx';
    default:
      return '5xx';
  }
}

function milliseconds(value: number): number {
  return Math.round(value * 1000) / 1000;
}

let lastSession = '';
let lastDigest = '';

/** The hash of a session id; one client sends the same id for hours. */
export function hashSession(id: string | null): string | null {
  if (id === null) return null;
  if (id !== lastSession) {
    lastSession = id;
    lastDigest = sessionHash(id);
  }
  return lastDigest;
}
