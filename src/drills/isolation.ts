/**
 * Looks into every request that an upstream received for the credential of the other lane: in its
 * target, its fields and its body. What a drill sends has credentials that are known, so that one in
 * the wrong place is seen.
 */
import type { ReceivedRequest } from '../twin/types.ts';
import type { DrillLane } from './types.ts';

/** The bare credential that belongs to each upstream: no scheme before it. */
export type LaneCredentials = Readonly<Record<DrillLane, string>>;

/** What was looked at, and what was found. */
export interface IsolationCount {
  readonly searched: Readonly<Record<DrillLane, number>>;
  /** Requests that held a credential of the other lane. */
  readonly leaks: number;
}

export interface IsolationSearch {
  look(lane: DrillLane, request: Pick<ReceivedRequest, 'path' | 'rawHeaders' | 'body'>): void;
  /** So far. */
  count(): IsolationCount;
}

/** A search that has looked at nothing yet. */
export function createIsolationSearch(credentials: LaneCredentials): IsolationSearch {
  const searched = { anthropic: 0, zai: 0 };
  let leaks = 0;
  return {
    look: (lane, { path, rawHeaders, body }) => {
      const foreign = credentials[lane === 'zai' ? 'anthropic' : 'zai'];
      const head = [path, ...rawHeaders.flat()];
      searched[lane] += 1;
      if (head.some((text) => text.includes(foreign)) || body.includes(foreign)) leaks += 1;
    },
    count: () => ({ searched: { ...searched }, leaks }),
  };
}
