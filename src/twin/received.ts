/**
 * The requests that reached one endpoint, kept in memory for tests to read: bounded in number and in
 * bytes, never written to a file. A kept request is live: it fills as the exchange goes on.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { TWIN_KEPT_BYTES_MAX } from '../core/limits.ts';
import type { FaultKind } from './plan-schema.ts';
import { type Field, headerOf, type ReceivedRequest } from './types.ts';

const EMPTY = Buffer.alloc(0);
const WAIT_MS_DEFAULT = 5_000;

/** What is known of a request when its head has come. */
export interface Arrival {
  readonly protocol: 'h1' | 'h2';
  readonly method: string;
  readonly path: string;
  readonly rawHeaders: readonly Field[];
  readonly connection: number;
}

/** Writes the story of one request as it unfolds. */
export interface Entry {
  received(body: Buffer): void;
  head(status: number, fields: readonly Field[]): void;
  sent(bytes: Buffer): void;
  fault(kind: FaultKind): void;
  ended(): void;
  aborted(): void;
  /** The twin itself broke the answer off: whatever ends it then is no abort. */
  broken(): void;
}

export interface ReceivedLog {
  open(arrival: Arrival): Entry;
  requests(): readonly ReceivedRequest[];
  clear(): void;
  waitFor(predicate: (request: ReceivedRequest) => boolean, ms?: number): Promise<ReceivedRequest>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Kept = Mutable<Omit<ReceivedRequest, 'answer'>> & {
  answer: Mutable<ReceivedRequest['answer']>;
};
type Waiter = (request: ReceivedRequest) => void;

/**
 * Makes an empty log.
 *
 * @param keep requests kept, at least 1; the oldest go first
 */
export function receivedLog(keep: number): ReceivedLog {
  assert(Number.isInteger(keep) && keep >= 1, 'keep is a positive integer');
  let kept: Kept[] = [];
  let bytesKept = 0;
  let lastId = 0;
  const waiters = new Set<Waiter>();

  const trim = (): void => {
    while (kept.length > keep || (bytesKept > TWIN_KEPT_BYTES_MAX && kept.length > 1)) {
      bytesKept -= kept.shift()?.body.length ?? 0;
    }
  };
  const changed = (request: Kept): void => {
    if (!isSettled(request)) return;
    for (const waiter of waiters) waiter(request);
  };

  return {
    open: (arrival) => {
      lastId += 1;
      const request = freshRequest(lastId, arrival);
      kept.push(request);
      trim();
      const keepBody = (body: Buffer): void => {
        request.body = body;
        if (!kept.includes(request)) return;
        bytesKept += body.length;
        trim();
      };
      return entryOf(request, keepBody, () => changed(request));
    },
    requests: () => [...kept],
    clear: () => {
      kept = [];
      bytesKept = 0;
    },
    waitFor: (predicate, ms = WAIT_MS_DEFAULT) => {
      const present = kept.find((request) => isSettled(request) && predicate(request));
      return present === undefined
        ? waitAmong(waiters, predicate, ms)
        : Promise.resolve<ReceivedRequest>(present);
    },
  };
}

function isSettled(request: ReceivedRequest): boolean {
  return request.whole || request.aborted;
}

function freshRequest(id: number, arrival: Arrival): Kept {
  return {
    id,
    at: Date.now(),
    ...arrival,
    body: EMPTY,
    whole: false,
    aborted: false,
    fault: null,
    answer: { status: 0, requestId: null, bytes: 0, sha256: '', ended: false },
  };
}

function entryOf(request: Kept, keepBody: (body: Buffer) => void, changed: () => void): Entry {
  const hash = createHash('sha256');
  let over = false;
  const { answer } = request;
  Object.defineProperty(answer, 'sha256', {
    enumerable: true,
    get: () => hash.copy().digest('hex'),
  });
  return {
    received: (body) => {
      request.whole = true;
      keepBody(body);
      changed();
    },
    head: (status, fields) => {
      answer.status = status;
      answer.requestId = headerOf(fields, 'request-id') ?? headerOf(fields, 'x-log-id') ?? null;
      changed();
    },
    sent: (bytes) => {
      answer.bytes += bytes.length;
      hash.update(bytes);
    },
    fault: (kind) => {
      request.fault = kind;
    },
    ended: () => {
      if (over) return;
      over = true;
      answer.ended = true;
      changed();
    },
    aborted: () => {
      if (over) return;
      over = true;
      request.aborted = true;
      changed();
    },
    broken: () => {
      over = true;
      changed();
    },
  };
}

function waitAmong(
  waiters: Set<Waiter>,
  predicate: (request: ReceivedRequest) => boolean,
  ms: number,
): Promise<ReceivedRequest> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      waiters.delete(waiter);
      act();
    };
    const waiter: Waiter = (request) => {
      try {
        if (predicate(request)) settle(() => resolve(request));
      } catch (cause) {
        settle(() => reject(cause));
      }
    };
    const timer = setTimeout(() => {
      settle(() => reject(new Error(`no such request reached the twin within ${ms} ms`)));
    }, ms);
    waiters.add(waiter);
  });
}
