/**
 * Puts the records of the ledger beside the requests that the twin answered, each by the id that the
 * twin gave it: for clients whose exchanges are not requests, so that counting alone proves nothing.
 *
 * Partners are not always one to one: the same bytes get the same id, so an id may come more than
 * once, and of the attempts that the proxy made for one record only the last one's id is in it.
 */
import { createHash } from 'node:crypto';
import { DRILL_MATCHED_REQUESTS_MAX, DRILL_STALL_MS } from '../core/limits.ts';
import type { ReceivedRequest } from '../twin/types.ts';
import type { DrillLane, DrillRecord } from './types.ts';
import type { WitnessedTwin } from './witness.ts';

/** How ledger and twin compare. */
export interface RequestCount {
  /** Requests for an answer of a model that the twin answered whole. */
  readonly answered: number;
  /** Records that were looked for among them: all, or a fair share of a great many. */
  readonly compared: number;
  /** Records of a request that no upstream had. */
  readonly unknown: number;
  /** Records of other bytes than the upstream sent. */
  readonly differing: number;
  /** Answered requests without a record, beyond the attempts that records tell of. */
  readonly missing: number;
}

export interface RequestMatch {
  /** The same twin, for a witness to read: what it forgets is remembered here. */
  readonly twin: WitnessedTwin;
  /** Takes a record, once the drill has settled. */
  recorded(record: DrillRecord): void;
  /** Once all records were taken. */
  count(): RequestCount;
}

/** Payload bytes of a whole answer; null where it was broken off, or not waited for. */
type Sent = number | null;

const OK = 200;
const MESSAGES = /\/v1\/messages(\?|$)/;

/**
 * Begins to remember; what the twin received before is forgotten.
 *
 * @param keptMax requests that are kept to be compared
 */
export function matchRequests(
  twin: WitnessedTwin,
  keptMax: number = DRILL_MATCHED_REQUESTS_MAX,
): RequestMatch {
  const sample = createSample(keptMax);
  const counts = { answered: 0, compared: 0, unknown: 0, differing: 0 };
  let open: ReceivedRequest[] = [];
  let attempts = 0;
  const partial: string[] = [];
  const settle = (isOver: (request: ReceivedRequest) => boolean): void => {
    const over = open.filter(isOver);
    open = open.filter((request) => !over.includes(request));
    for (const { answer } of over) {
      if (answer.requestId === null) continue;
      if (answer.ended) counts.answered += 1;
      sample.put(answer.requestId, answer.ended ? answer.bytes : null);
    }
  };
  const take = (id: string, bytes: Sent): void => {
    const sent = sample.take(id, bytes);
    if (sent === undefined) counts.unknown += 1;
    else if (bytes !== null && sent !== bytes) counts.differing += 1;
  };
  const watched = (lane: DrillLane): WitnessedTwin[DrillLane] => {
    twin[lane].clear();
    return {
      requests: () => twin[lane].requests(),
      clear: () => {
        for (const one of twin[lane].requests()) if (MESSAGES.test(one.path)) open.push(one);
        twin[lane].clear();
        settle(hasEnded);
      },
    };
  };
  return {
    twin: { anthropic: watched('anthropic'), zai: watched('zai'), faults: twin.faults },
    recorded: ({ request_id: id, status, intact, bytes_down: bytes, attempts: tries }) => {
      settle(() => true);
      attempts += Math.max(0, tries - 1);
      // An answer of the proxy's own has no id; one that was served has.
      if (id === null) counts.unknown += status === OK ? 1 : 0;
      else if (sample.has(id)) {
        counts.compared += 1;
        if (intact) take(id, bytes);
        else partial.push(id);
      }
    },
    count: () => {
      settle(() => true);
      // An answer that did not arrive whole fits any: those that did choose first.
      for (const id of partial.splice(0)) take(id, null);
      return { ...counts, missing: Math.max(0, sample.left() - attempts) };
    },
  };
}

/** Nothing tells of the end of an answer that a fault broke off, but that it does not end. */
function hasEnded({ answer, aborted, fault, at }: ReceivedRequest): boolean {
  return answer.ended || aborted || (fault !== null && Date.now() - at > DRILL_STALL_MS);
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
    take: (id: string, wanted: Sent): Sent | undefined => {
      const answers = kept.get(id) ?? [];
      const fitting = answers.includes(wanted) ? wanted : answers.at(-1);
      if (fitting !== undefined) answers.splice(answers.indexOf(fitting), 1);
      return fitting;
    },
    /** Whole answers that were not taken out. */
    left: (): number => {
      let left = 0;
      for (const answers of kept.values()) left += answers.filter((sent) => sent !== null).length;
      return left;
    },
  };
}

function hashOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32LE(0);
}
