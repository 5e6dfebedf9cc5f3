/** What the harness of `verify isolation` knows of an exchange, and keeps of what came of it. */
import type { CanaryName, CanaryRequest } from './canaries.ts';

/** Where requests can arrive: the upstreams of the lanes, and a host that is none of theirs. */
export const UPSTREAMS = ['anthropic', 'zai', 'third', 'elsewhere'] as const;
export type Upstream = (typeof UPSTREAMS)[number];

/** How a client reaches the proxy: through CONNECT and TLS, or straight; by HTTP/1.1 or HTTP/2. */
export const WAYS = ['connect', 'gateway', 'h2', 'connect-h2'] as const;
export type Way = (typeof WAYS)[number];

/** How often something may happen: at least, at most. */
export type Range = readonly [least: number, most: number];
/** How often a request may arrive at each upstream; where nothing is said, never. */
export type Arrivals = Readonly<Partial<Record<Upstream, Range>>>;

/** An exchange before it is sent. */
export interface Exchange {
  readonly id: number;
  readonly shape: string;
  readonly request: CanaryRequest;
  readonly arrives: Arrivals;
  /** Over HTTP/1.1 without a Content-Length. */
  readonly chunked?: true;
  /** The client goes away as soon as that has happened. */
  readonly leaves?: 'sent' | 'answered';
  /** The `x-lanekeeper-error` that must be in the answer. */
  readonly error?: string;
}

/** What a client saw of an exchange. */
export interface Answer {
  /** Null where the connection ended without one. */
  readonly status: number | null;
  /** `x-lanekeeper-error`. */
  readonly error: string | null;
  /** Head and payload, as much as came. */
  readonly bytes: Buffer;
}

/** An exchange that was made. Texts are bytes, one character each (latin1). */
export interface Made extends Pick<Exchange, 'id' | 'shape' | 'arrives' | 'error'> {
  readonly way: Way | 'bytes';
  readonly sent: Sent;
  readonly answer: Answer;
}

/** A request as text: its head, as far as canaries stand in it, and its body. */
export interface Sent {
  readonly head: string;
  readonly body: Buffer;
}

/** A request, as an upstream got it. */
export interface Received extends Sent {
  readonly upstream: Upstream;
  /** By which connection it came; no two have the same. */
  readonly connection: string;
  /** Its body came to its end; else the twin keeps none of it. */
  readonly whole: boolean;
  /** The key of the lane at that time; null where the lane has none. */
  readonly key: CanaryName | null;
}

/** Anything else that was written or told. */
export interface Told {
  /** By which it is counted, such as `stderr`. */
  readonly place: string;
  /** Where it is, more precisely, such as a file and its line. */
  readonly at: string;
  readonly bytes: Buffer;
}

export function sentOf({ method, path, headers, body }: CanaryRequest): Sent {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return { head: [`${method} ${path}`, ...fields].join('\n'), body };
}
