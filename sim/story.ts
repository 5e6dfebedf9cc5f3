/**
 * What is known of each exchange: what the client meant, what reached which upstream, what came back,
 * and what the ledger says. Written by the simulated ends, read by the checks.
 */
import type { RoutingTable } from '../src/core/route.ts';
import type { AnomalyKind, UsageRecord } from '../src/ledger/record.ts';
import type { AnswerScript } from './answers.ts';
import type { RequestPlan } from './requests.ts';
import type { SimSocket } from './socket.ts';
import type { Matcher, WireHead } from './wire-reader.ts';

/** One arrival of a request at an upstream. */
export interface Arrival {
  readonly lane: string;
  /** The program's end of the connection that it came on. */
  readonly socket: SimSocket;
  readonly at: number;
  /** Bytes of the connection that the program had been given before. */
  readonly givenBefore: number;
  /** How long the connection had rested, as the upstream saw it; null for its first request. */
  readonly restedMs: number | null;
  /** Its last byte came. */
  isComplete: boolean;
  body: Matcher | null;
  script: AnswerScript | null;
  /** Bytes of the script that were handed to the network. */
  sentBytes: number;
  headSentAt: number;
  /** What was done behind them. */
  end: 'open' | 'whole' | 'fin' | 'reset' | 'lost';
  endedAt: number;
}

/** What the client got. */
export interface Got {
  head: WireHead | null;
  status: number;
  /** The code of an error of our own. */
  local: string | null;
  payload: Matcher | null;
  payloadBytes: number;
  interims: number;
  /** `left`: the client went away, or stopped reading, before the end. */
  end: 'open' | 'clean' | 'cut' | 'reset' | 'left';
}

export interface Story {
  readonly plan: RequestPlan;
  readonly door: 'gateway' | 'intercept' | 'port';
  startedAt: number;
  /** Times the relay was given it. */
  handled: number;
  /** Times a lane was asked to open it. */
  opened: number;
  /** Code and moment of each failure that a lane told. */
  readonly failures: string[];
  readonly arrivals: Arrival[];
  readonly records: UsageRecord[];
  readonly anomalies: Set<AnomalyKind>;
  /** Every table that was in force while it was not decided yet. */
  readonly tables: RoutingTable[];
  readonly got: Got;
  /** The client has ended its side: in the midst of a request, or while it waits. */
  hasFin: boolean;
  /** It was sent before the one in front was answered, or has one behind it that was. */
  isPipelined: boolean;
  isJudged: boolean;
}

export function beginStory(plan: RequestPlan, door: Story['door']): Story {
  return {
    plan,
    door,
    startedAt: 0,
    handled: 0,
    opened: 0,
    failures: [],
    arrivals: [],
    records: [],
    anomalies: new Set(),
    tables: [],
    got: {
      head: null,
      status: 0,
      local: null,
      payload: null,
      payloadBytes: 0,
      interims: 0,
      end: 'open',
    },
    hasFin: false,
    isPipelined: false,
    isJudged: false,
  };
}

/** What the client of an upgraded connection says over it. */
export function spokenBy(id: number): string {
  return `frames of ${id}: ${'x'.repeat((id * 37) % 3_000)}`;
}
