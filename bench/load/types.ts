/** What the generator is told and what it answers. */
import type { Quantiles } from '../../src/drills/histogram.ts';
import type { Body } from './bodies.ts';
import type { Answer } from './wire.ts';

/** How the generator reaches the upstream. */
export interface Access {
  /** `connect`: CONNECT, then TLS in the tunnel; `tls`: TLS to the port itself; `plain`: HTTP to the port. */
  readonly by: 'connect' | 'tls' | 'plain';
  readonly http2: boolean;
  readonly port: number;
  /** PEM, trusted alone; null for `plain`. */
  readonly ca: string | null;
}

export interface Job {
  readonly access: Access;
  readonly connections: number;
  readonly body: Body;
  readonly answer: Answer;
  /** Each exchange on a connection of its own. */
  readonly newConnections: boolean;
  /** Before the window of the measurement, s. */
  readonly warmSeconds: number;
  /** The window, s. Ends earlier where `exchanges` are done. */
  readonly seconds: number;
  /** Over how long the connections begin, s. */
  readonly rampSeconds: number;
  /** At most so many; null: as many as there is time for. */
  readonly exchanges: number | null;
  /** Only requests of this model; null: three of the main model, then one of the small. */
  readonly model: 'main' | 'small' | null;
  /** Processes of the proxy. */
  readonly pids: readonly number[];
  readonly upstreamPid: number | null;
}

/** Milliseconds. */
export interface Times {
  readonly count: number;
  readonly quantiles: Quantiles | null;
}

/** What was measured within the window. */
export interface Measured {
  readonly seconds: number;
  readonly exchanges: number;
  readonly errors: number;
  readonly firstError: string | null;
  /** Of an exchange, from its first byte sent (its connection where that is new) to its last received. */
  readonly latency: Times;
  /** To the first byte of the answer. */
  readonly firstByte: Times;
  /** Of an event of a paced stream, from its sending. */
  readonly eventDelay: Times;
  readonly cpu: Cpu;
}

/** Seconds of CPU within the window; null where the system does not tell. */
export interface Cpu {
  readonly proxy: number | null;
  readonly upstream: number | null;
  readonly generator: number;
  /** Everybody else on the machine. */
  readonly others: number | null;
  /** Taken by other machines on the same host. */
  readonly steal: number | null;
}
