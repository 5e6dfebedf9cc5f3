/** One exchange as both ends of it have it, for the tests of this room: all went well. */
import type { ReceivedRequest } from '../../twin/types.ts';
import type { DrillRecord, Heard } from '../types.ts';

/** What a client had of a stream of ten bytes. */
export const HEARD: Heard = {
  status: 200,
  own: null,
  requestId: null,
  bytes: 10,
  sha256: 'aa',
  ended: true,
  closed: true,
  stream: { stopped: true, error: null },
  ttfbMs: 1,
  latencyMs: 2,
  failure: null,
  sent: true,
};

/** What the ledger has of it, from a twin that gives its answers no id. */
export const RECORD: DrillRecord = {
  lane: 'anthropic',
  decision: 'default',
  model: 'claude-sonnet-5-5',
  op: 'stream',
  status: 200,
  sse: 'complete',
  err_type: null,
  intact: true,
  retry: false,
  bytes_down: 10,
  request_id: null,
};

/** The same cut before its end. */
export const CUT = { ended: false, closed: false, failure: 'cut' } as const;

/** A request that the twin received, to be changed by who tests. */
export type Received = { -readonly [K in keyof ReceivedRequest]: ReceivedRequest[K] };

/** The request, answered with what `HEARD` is, but for what differs. */
export function received(body: string, answer: Partial<ReceivedRequest['answer']> = {}): Received {
  return {
    id: 1,
    at: 0,
    protocol: 'h1',
    method: 'POST',
    path: '/v1/messages',
    rawHeaders: [],
    body: Buffer.from(body),
    whole: true,
    connection: 1,
    aborted: false,
    broken: null,
    fault: null,
    answer: {
      status: 200,
      requestId: 'req_1',
      bytes: 10,
      sha256: 'aa',
      ended: true,
      prefixSha256: () => null,
      ...answer,
    },
  };
}
