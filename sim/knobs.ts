/**
 * What one seed is like: every seed draws its own sizes, delays and shares of faults, so that some runs
 * are quiet and fast, some are full of resets, and some have buffers of a few bytes.
 */
import type { Random } from './random.ts';

export interface Knobs {
  /** Longest delay of a segment, ms. */
  readonly latencyMs: number;
  /** Bytes one direction of a connection holds in the system. */
  readonly bufferBytes: number;
  /** Of the program's sockets. */
  readonly highWaterMark: number;
  /** Most bytes of one read of the program. */
  readonly readBytesMax: number;
  readonly connections: number;
  readonly requestsPerConnection: number;
  /** Connections begin within this time. */
  readonly spanMs: number;
  /** Shares of requests, answers, dials and so on that go wrong. */
  readonly clientFaults: number;
  readonly upstreamFaults: number;
  readonly dialFaults: number;
  readonly slowReaders: number;
  readonly largeBodies: number;
  readonly refusals: number;
  /** Switches thrown in the run. */
  readonly switches: number;
  readonly backoff: boolean;
  /** All held bodies together. */
  readonly holdBytes: number;
  readonly headMs: number;
  readonly idleMs: number;
  /** What is wrong with ledger and tee. */
  readonly observer: 'well' | 'drops' | 'throws';
  /** What the edge is told in the middle: to let exchanges finish, or to close at once. */
  readonly ending: 'none' | 'drain' | 'destroy';
  /** Tunnels and requests to other hosts beside the exchanges. */
  readonly strangers: number;
  /** In place of what chance would do to a first exchange: for sweeps over every byte. */
  readonly forced: Forced;
}

/** One fault at one place. */
export interface Forced {
  /** Of the answer. */
  readonly cut?: Cut;
  /** Of an upstream's connection, behind so many bytes of the request. */
  readonly trap?: { readonly atByte: number; readonly how: Cut['how'] };
  /** Of the client. */
  readonly leaving?: Leaving;
}

/** Where an answer breaks off, in bytes of its wire. */
export interface Cut {
  readonly at: number;
  readonly how: 'fin' | 'reset' | 'stall';
}

/** How a client leaves before it has everything: behind so many bytes that it sent, or that it got. */
export interface Leaving {
  readonly behind: 'sent' | 'got';
  readonly bytes: number;
  readonly how: 'fin' | 'close' | 'reset' | 'stall';
}

export function drawKnobs(random: Random): Knobs {
  const isCalm = random.chance(0.15);
  const share = (most: number): number => (isCalm ? 0 : random.float() * random.float() * most);
  return {
    latencyMs: random.pick([0, 0.1, 1, 5, 40]),
    bufferBytes: random.pick([1024, 8192, 65_536, 262_144]),
    highWaterMark: random.pick([1024, 16_384, 65_536]),
    readBytesMax: random.pick([128, 2048, 65_536]),
    connections: random.between(3, 16),
    requestsPerConnection: random.between(1, 6),
    spanMs: random.pick([1, 100, 5_000, 120_000]),
    clientFaults: share(0.8),
    upstreamFaults: share(0.9),
    dialFaults: share(0.3),
    slowReaders: share(0.6),
    largeBodies: random.chance(0.2) ? 0.2 : 0,
    refusals: share(0.3),
    switches: isCalm ? 0 : random.pick([0, 0, 2, 6]),
    backoff: random.chance(0.5),
    holdBytes: random.pick([2_000, 100_000, 64_000_000]),
    headMs: random.pick([2_000, 900_000]),
    idleMs: random.pick([2_000, 600_000]),
    observer: random.pick(['well', 'well', 'drops', 'throws']),
    ending: random.chance(0.15) ? random.pick(['drain', 'destroy']) : 'none',
    strangers: random.chance(0.3) ? random.between(1, 6) : 0,
    forced: {},
  };
}

/** Largest body that is drawn: some megabytes, but where a network takes them byte by byte. */
export function largestBody({ bufferBytes, readBytesMax }: Knobs): number {
  return Math.min(2_000_000, 100_000 + 200 * Math.min(bufferBytes, readBytesMax));
}
