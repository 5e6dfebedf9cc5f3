/**
 * All hostile requests of HTTP/1.1.
 */
import { CHUNK_CASES } from './chunk-cases.ts';
import { CONNECT_CASES } from './connect-cases.ts';
import { FLOW_CASES } from './flow-cases.ts';
import { FRAMING_CASES } from './framing-cases.ts';
import { LINE_CASES } from './line-cases.ts';
import type { HostileRequest } from './types.ts';

export interface RequestGroup {
  readonly title: string;
  readonly cases: readonly HostileRequest[];
  /** Gateways can be asked the same. */
  readonly forPeers: boolean;
}

/** The catalogue, as the tables of the document have it. */
export const REQUEST_GROUPS: readonly RequestGroup[] = [
  { title: 'Lengths', cases: FRAMING_CASES, forPeers: true },
  { title: 'Chunks and trailers', cases: CHUNK_CASES, forPeers: true },
  { title: 'Lines, fields and Host', cases: LINE_CASES, forPeers: true },
  { title: 'The connection and the target', cases: FLOW_CASES, forPeers: true },
  { title: 'CONNECT and destinations', cases: CONNECT_CASES, forPeers: false },
];

/** The same, in one list. */
export const REQUEST_CASES: readonly HostileRequest[] = REQUEST_GROUPS.flatMap(
  ({ cases }) => cases,
);
