/**
 * Puts the records of the ledger beside the requests that the twin answered, each by the id that the
 * twin gave it: for agents, whose turns are not requests, so that counting alone proves nothing.
 *
 * Partners are not always one to one: the same bytes get the same id, so an id may come more than
 * once, and of the attempts that the proxy made for one record only the last one's id is in it.
 */
import { createHash } from 'node:crypto';
import { DRILL_MATCHED_REQUESTS_MAX } from '../core/limits.ts';
import type { ReceivedRequest } from '../twin/types.ts';
import type { DrillLane, DrillRecord } from './types.ts';
import type { WitnessedTwin } from './witness.ts';

/** How ledger and twin compare; without a twin only `notWhole` is told. */
export interface RequestCount {
  /** Requests for an answer of a model that the twin answered to the end. */
  readonly answered: number;
  /** Records that were looked for among them: all, or a fair share of a great many. */
  readonly compared: number;
  /** Records of a request that no upstream had. */
  readonly unknown: number;
  /** Records of other bytes than the upstream sent. */
  readonly differing: number;
  /** Answered requests without a record, beyond the attempts that records tell of. */
  readonly missing: number;
  /** Records of a 200 that did not arrive whole, where no fault of the twin's tells why. */
  readonly notWhole: number;
}

export interface RequestMatch {
  /** The same twin, for a witness to read: what it forgets is remembered here. */
  readonly twin: WitnessedTwin | null;
  /** Takes a record, once the drill has settled. */
  recorded(record: DrillRecord): void;
  /** What was found so far; all, once all records were taken. */
  count(): RequestCount;
}

/** An answer of the twin. */
interface Sent {
  /** Payload bytes; null where it was broken off, or not waited for. */
  readonly bytes: number | null;
  /** A fault befell it. */
  readonly isSpoilt: boolean;
}

const OK = 200;
const NO_ID = '';
const MESSAGES = /\/v1\/messages(\?|$)/;

/**
 * Begins to remember; what the twin received before is forgotten.
 *
 * @param keptMax requests that are kept to be compared
 */
export function matchRequests(
  twin: WitnessedTwin | null,
  keptMax: number = DRILL_MATCHED_REQUESTS_MAX,
): RequestMatch {
  const sample = createSample(keptMax);
  const counts = { answered: 0, compared: 0, unknown: 0, differing: 0, notWhole: 0 };
  const partial: { readonly record: DrillRecord; readonly id: string }[] = [];
  let open: ReceivedRequest[] = [];
  let retries = 0;
  const settle = (isOver: (request: ReceivedRequest) => boolean): void => {
    const over = open.filter(isOver);
    open = open.filter((request) => !over.includes(request));
    for (const { answer, fault } of over) {
      if (answer.ended) counts.answered += 1;
      const id = idOf(answer.requestId, answer.status);
      const bytes = answer.ended ? answer.bytes : null;
      if (id !== null) sample.put(id, { bytes, isSpoilt: fault !== null });
    }
  };
  const match = (record: DrillRecord, id: string): void => {
    const { intact, bytes_down: bytes } = record;
    const sent = sample.take(id, intact ? bytes : null);
    if (sent === undefined) counts.unknown += 1;
    else if (intact && sent.bytes !== bytes) counts.differing += 1;
    if (!isWhole(record) && sent?.isSpoilt !== true) counts.notWhole += 1;
  };
  const watched = (lane: DrillLane, seen: WitnessedTwin): WitnessedTwin[DrillLane] => {
    seen[lane].clear();
    return {
      requests: () => seen[lane].requests(),
      clear: () => {
        for (const one of seen[lane].requests()) if (MESSAGES.test(one.path)) open.push(one);
        seen[lane].clear();
        settle(hasEnded);
      },
    };
  };
  return {
    twin: twin && {
      anthropic: watched('anthropic', twin),
      zai: watched('zai', twin),
      faults: twin.faults,
    },
    recorded: (record) => {
      settle(() => true);
      if (record.retry) retries += 1;
      const id = idOf(record.request_id, record.status);
      if (twin === null) counts.notWhole += isWhole(record) ? 0 : 1;
      else if (id !== null && sample.has(id)) {
        counts.compared += 1;
        if (record.intact) match(record, id);
        else partial.push({ record, id });
      }
    },
    count: () => {
      settle(hasEnded);
      // An answer that did not arrive whole fits any: those that did choose first.
      for (const { record, id } of partial.splice(0)) match(record, id);
      return { ...counts, missing: Math.max(0, sample.left() - retries) };
    },
  };
}

/** Errors without an id may be the proxy's own, of which the twin knows nothing; a 200 is not. */
function idOf(id: string | null, status: number | null): string | null {
  return id ?? (status === OK ? NO_ID : null);
}

function hasEnded({ answer, aborted, broken }: ReceivedRequest): boolean {
  return answer.ended || aborted || broken !== null;
}

function isWhole({ op, status, sse, intact }: DrillRecord): boolean {
  return status !== OK || (intact && (op === 'nonstream' || sse === 'complete'));
}

/**
 * Answers by id. Of more than `keptMax` ids only those are kept whose hash ends in a zero bit, then in
 * two, and so on, which can be told of an id that was never put in, too.
 */
function createSample(keptMax: number) {
  const kept = new Map<string, Sent[]>();
  let bits = 0;
  const has = (id: string): boolean => bits === 0 || hashOf(id) % 2 ** bits === 0;
  return {
    /** The id is one of those that are kept, if it was put in. */
    has,
    put: (id: string, sent: Sent): void => {
      if (!has(id)) return;
      kept.set(id, [...(kept.get(id) ?? []), sent]);
      while (kept.size > keptMax) {
        bits += 1;
        for (const one of kept.keys()) if (!has(one)) kept.delete(one);
      }
    },
    /** Takes out the answer of that id that fits best. */
    take: (id: string, bytes: Sent['bytes']): Sent | undefined => {
      const answers = kept.get(id) ?? [];
      // Where none is the same, the last.
      const found = answers.findIndex((sent) => sent.bytes === bytes);
      return answers.splice(found, 1)[0];
    },
    /** Whole answers that were not taken out. */
    left: (): number => {
      let left = 0;
      for (const answers of kept.values()) {
        left += answers.filter(({ bytes }) => bytes !== null).length;
      }
      return left;
    },
  };
}

function hashOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32LE(0);
}
