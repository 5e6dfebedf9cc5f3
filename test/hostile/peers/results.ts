/**
 * What the peers did, as it was written down.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

export interface PeerResults {
  readonly peers: readonly {
    readonly name: string;
    readonly version: string;
    /** By the name of the case. */
    readonly did: Readonly<Record<string, string>>;
  }[];
}

export const PEERS_FILE: string = path.join(import.meta.dirname, 'results.json');

export async function readResults(): Promise<PeerResults> {
  return JSON.parse(await readFile(PEERS_FILE, 'utf8')) as PeerResults;
}
