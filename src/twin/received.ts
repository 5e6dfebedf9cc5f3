/**
 * The requests that reached one endpoint, kept in memory for tests to read: bounded in number and in
 * bytes, never written to a file. A kept request is live: it fills as the exchange goes on.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { requestIdOf } from '../core/fields.ts';
import { TWIN_BROKEN_BYTES_MAX, TWIN_KEPT_BYTES_MAX } from '../core/limits.ts';
import type { FaultKind } from './plan-schema.ts';
import type { BreakOff, Field, ReceivedRequest } from './types.ts';

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
  broken(how: BreakOff['how']): void;
}

export interface ReceivedLog {
  open(arrival: Arrival): Entry;
  requests(): readonly ReceivedRequest[];
  clear(): void;
  waitFor(predicate: (request: ReceivedRequest) => boolean, ms?: number): Promise<ReceivedRequest>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Live = Mutable<Omit<ReceivedRequest, 'answer'>> & {
  answer: Mutable<ReceivedRequest['answer']>;
};
/** A request in the log, with the bytes that it holds there. */
interface Kept {
  readonly request: Live;
  bytes: number;
  dropped: boolean;
}
/** What was sent of an answer that may be broken off; null where it is not kept. */
interface Payload {
  pieces: Buffer[] | null;
}
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

  const drop = (one: Kept): void => {
    one.dropped = true;
    bytesKept -= one.bytes;
  };
  const trim = (): void => {
    let excess = 0;
    while (
      kept.length - excess > keep ||
      (bytesKept > TWIN_KEPT_BYTES_MAX && kept.length - excess > 1)
    ) {
      drop(kept[excess] as Kept);
      excess += 1;
    }
    if (excess > 0) kept.splice(0, excess);
  };
  const hold = (one: Kept, bytes: number): void => {
    if (one.dropped) return;
    one.bytes += bytes;
    bytesKept += bytes;
    if (bytes > 0) trim();
  };
  const changed = (request: ReceivedRequest): void => {
    if (waiters.size === 0 || !isSettled(request)) return;
    for (const waiter of waiters) waiter(request);
  };

  return {
    open: (arrival) => {
      lastId += 1;
      const payload: Payload = { pieces: null };
      const one = { request: freshRequest(lastId, arrival, payload), bytes: 0, dropped: false };
      kept.push(one);
      trim();
      return entryOf(one.request, payload, {
        hold: (bytes) => hold(one, bytes),
        changed: () => changed(one.request),
      });
    },
    requests: () => kept.map((one) => one.request),
    clear: () => {
      kept.forEach(drop);
      kept = [];
    },
    waitFor: (predicate, ms = WAIT_MS_DEFAULT) => {
      const present = kept.find(({ request }) => isSettled(request) && predicate(request));
      return present === undefined
        ? waitAmong(waiters, predicate, ms)
        : Promise.resolve<ReceivedRequest>(present.request);
    },
  };
}

function isSettled(request: ReceivedRequest): boolean {
  return request.whole || request.aborted;
}

function freshRequest(id: number, arrival: Arrival, payload: Payload): Live {
  return {
    id,
    at: Date.now(),
    ...arrival,
    body: EMPTY,
    whole: false,
    aborted: false,
    broken: null,
    fault: null,
    answer: {
      status: 0,
      requestId: null,
      bytes: 0,
      sha256: '',
      ended: false,
      prefixSha256: (bytes) => prefixHash(payload, bytes),
    },
  };
}

/** Whom an entry tells of what it holds, and of a change. */
interface Book {
  readonly hold: (bytes: number) => void;
  readonly changed: () => void;
}

function entryOf(request: Live, payload: Payload, { hold, changed }: Book): Entry {
  const hash = createHash('sha256');
  let over = false;
  const { answer } = request;
  Object.defineProperty(answer, 'sha256', {
    enumerable: true,
    get: () => hash.copy().digest('hex'),
  });
  const forget = (): void => {
    if (payload.pieces === null) return;
    payload.pieces = null;
    hold(-answer.bytes);
  };
  const remember = (bytes: Buffer): void => {
    if (payload.pieces === null) return;
    if (answer.bytes + bytes.length > TWIN_BROKEN_BYTES_MAX) {
      forget();
      return;
    }
    payload.pieces.push(bytes);
    hold(bytes.length);
  };
  return {
    received: (body) => {
      request.whole = true;
      request.body = body;
      hold(body.length);
      changed();
    },
    head: (status, fields) => {
      answer.status = status;
      answer.requestId = requestIdOf(fields);
      changed();
    },
    sent: (bytes) => {
      remember(bytes);
      answer.bytes += bytes.length;
      hash.update(bytes);
    },
    fault: (kind) => {
      request.fault = kind;
      if (answer.bytes === 0) payload.pieces = [];
    },
    ended: () => {
      if (over) return;
      over = true;
      answer.ended = true;
      // What came to its end is compared whole.
      forget();
      changed();
    },
    aborted: () => {
      if (over) return;
      over = true;
      request.aborted = true;
      changed();
    },
    broken: (how) => {
      over = true;
      request.broken = how;
      changed();
    },
  };
}

function prefixHash({ pieces }: Payload, bytes: number): string | null {
  const hash = createHash('sha256');
  let left = bytes;
  for (const piece of pieces ?? []) {
    if (left === 0) break;
    const part = piece.subarray(0, left);
    hash.update(part);
    left -= part.length;
  }
  return left === 0 ? hash.digest('hex') : null;
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
