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
}

/** The catalogue, as the tables of the document have it. */
export const REQUEST_GROUPS: readonly RequestGroup[] = [
  { title: 'Lengths', cases: FRAMING_CASES },
  { title: 'Chunks and trailers', cases: CHUNK_CASES },
  { title: 'Lines, fields and Host', cases: LINE_CASES },
  { title: 'The connection and the target', cases: FLOW_CASES },
  { title: 'CONNECT and destinations', cases: CONNECT_CASES },
];

/** The same, in one list. */
export const REQUEST_CASES: readonly HostileRequest[] = REQUEST_GROUPS.flatMap(
  ({ cases }) => cases,
);
