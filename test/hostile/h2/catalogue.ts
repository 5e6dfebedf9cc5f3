/** All cases, in the order of their document. */
import type { Case } from './case.ts';
import { ATTACKS } from './cases-attacks.ts';
import { FRAMES } from './cases-frames.ts';
import { GENERIC } from './cases-generic.ts';
import { HPACK } from './cases-hpack.ts';
import { MESSAGES, SMUGGLING } from './cases-messages.ts';
import { STREAMS } from './cases-streams.ts';

export interface Group {
  readonly title: string;
  readonly cases: readonly Case[];
}

export const GROUPS: readonly Group[] = [
  { title: 'Any server takes these', cases: GENERIC },
  { title: 'Preface, frames, streams', cases: STREAMS },
  { title: 'Frame types', cases: FRAMES },
  { title: 'Messages', cases: MESSAGES },
  { title: 'Header compression', cases: HPACK },
  { title: 'Smuggling', cases: SMUGGLING },
];

export const CASES: readonly Case[] = GROUPS.flatMap(({ cases }) => cases);

/** Those that spend a server's resources: apart, since each takes a moment. */
export const FLOODS: Group = { title: 'Floods and other attacks', cases: ATTACKS };
