/** What the peers did, as it was last observed (`make hostile-peers-h2`). */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Where it is kept. */
export const OBSERVED: string = path.join(import.meta.dirname, 'peers', 'observed.json');

export interface Observed {
  readonly peers: readonly { readonly name: string; readonly version: string }[];
  /** By case, by peer. */
  readonly seen: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** By peer: requests that reached the origin and were not sent as such. */
  readonly reached: Readonly<Record<string, readonly string[]>>;
}

export function readObserved(): Observed {
  return JSON.parse(readFileSync(OBSERVED, 'utf8')) as Observed;
}
