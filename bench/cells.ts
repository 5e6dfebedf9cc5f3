/** The cells of the measurement: each one load on one way. */
import type { Body } from './load/bodies.ts';
import type { Job } from './load/types.ts';
import type { Answer } from './load/wire.ts';
import type { Options } from './options.ts';
import type { Way } from './targets/types.ts';

export interface Cell {
  readonly name: string;
  readonly about: string;
  readonly way: Way;
  readonly body: Body;
  readonly answer: Answer;
  readonly connections: number;
  readonly newConnections: boolean;
}

const JSON_ANSWER: Answer = { kind: 'json' };
const FAST: Answer = { kind: 'stream', everyMs: 0 };
/** Ms between two events of a paced stream: fifty a second. */
const PACE_MS = 20;
const PACED: Answer = { kind: 'stream', everyMs: PACE_MS };
/** For streams that take seconds to begin one after the other, and then some. */
const PACED_RAMP_S = 0.8;
const PACED_WARM_S = 1;
const PACED_SECONDS_MIN = 1.2;
const WARM_S = 0.3;
/** Where exchanges are counted, time only ends what hangs. */
const COUNTED_S_MAX = 60;

function cell(name: string, about: string, load: Partial<Cell>): Cell {
  return {
    name,
    about,
    way: 'tls',
    body: 'small',
    answer: JSON_ANSWER,
    connections: 16,
    newConnections: false,
    ...load,
  };
}

export const CELLS: readonly Cell[] = [
  cell('small', '2 KB up, 1 KB down, 16 connections', {}),
  cell('agent', "200 KB up: the agent's real request; 16 connections", { body: 'agent' }),
  cell('large', '1 MB up, the model last; 8 connections', { body: 'large', connections: 8 }),
  cell('stream', 'a stream of 107 events as fast as it can; 16 connections', { answer: FAST }),
  cell('new', 'a new connection for each 2 KB request; 8 at a time', {
    newConnections: true,
    connections: 8,
  }),
  cell('paced-64', '64 streams at once, an event each 20 ms', { answer: PACED, connections: 64 }),
  cell('paced-256', '256 streams at once, an event each 20 ms', {
    answer: PACED,
    connections: 256,
  }),
  cell('paced-256-agent', 'paced-256, each asked for by 200 KB: what is kept meanwhile', {
    body: 'agent',
    answer: PACED,
    connections: 256,
  }),
  cell('small-1', 'small, one at a time: what an exchange waits for', { connections: 1 }),
  cell('agent-1', 'agent, one at a time', { body: 'agent', connections: 1 }),
  cell('small-gateway', 'small, in gateway mode: plain HTTP in', { way: 'gateway' }),
  cell('agent-gateway', 'agent, in gateway mode', { way: 'gateway', body: 'agent' }),
  cell('large-gateway', 'large, in gateway mode', {
    way: 'gateway',
    body: 'large',
    connections: 8,
  }),
  cell('stream-gateway', 'stream, in gateway mode', { way: 'gateway', answer: FAST }),
  cell('new-gateway', 'new, in gateway mode', {
    way: 'gateway',
    newConnections: true,
    connections: 8,
  }),
  cell('paced-256-gateway', 'paced-256, in gateway mode', {
    way: 'gateway',
    answer: PACED,
    connections: 256,
  }),
  cell('small-h2', 'small, the client speaks HTTP/2', { way: 'h2' }),
  cell('agent-h2', 'agent, the client speaks HTTP/2', { way: 'h2', body: 'agent' }),
  cell('stream-h2', 'stream, the client speaks HTTP/2', { way: 'h2', answer: FAST }),
];

/** True for streams whose events have their time. */
export function isPaced(cell: Cell): boolean {
  return cell.answer.kind === 'stream' && cell.answer.everyMs > 0;
}

/** How long the load of a cell takes. */
export function timesOf(cell: Cell, options: Pick<Options, 'seconds' | 'exchanges'>): Times {
  const { seconds, exchanges } = options;
  if (exchanges !== null) {
    return { warmSeconds: 0, seconds: COUNTED_S_MAX, rampSeconds: 0, exchanges };
  }
  if (!isPaced(cell)) return { warmSeconds: WARM_S, seconds, rampSeconds: 0 };
  return {
    warmSeconds: PACED_WARM_S,
    seconds: Math.max(PACED_SECONDS_MIN, seconds),
    rampSeconds: PACED_RAMP_S,
  };
}

type Times = Pick<Job, 'warmSeconds' | 'seconds' | 'rampSeconds'> & { exchanges?: number };
