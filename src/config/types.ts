/**
 * The configuration as the rest of the program sees it: resolved, validated and frozen. Where a value
 * came from (default, file, environment, command line) no longer matters here.
 */
import type { TunnelPolicy } from '../core/destination.ts';
import type { RouteRule } from '../core/route.ts';
import type { Secret } from '../core/secret.ts';

/** How a key is presented to a keyed upstream. */
export type HeaderMode = 'x-api-key' | 'authorization';

/** Where a lane's requests go. */
export interface UpstreamConfig {
  /** `http` only for loopback addresses. */
  readonly scheme: 'https' | 'http';
  /** A name or an IP literal, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Path prefix without a trailing slash; empty for none. */
  readonly basePath: string;
  /** PEM of further trust roots for this upstream only, or null. */
  readonly ca: string | null;
}

export type LaneCredentials =
  | { readonly kind: 'passthrough' }
  | { readonly kind: 'key'; readonly secret: Secret; readonly header: HeaderMode };

export interface LaneConfig {
  readonly name: string;
  /** What the ledger calls the upstream: `anth`, `zai`, else the lane's name. */
  readonly tag: string;
  readonly upstream: UpstreamConfig;
  readonly credentials: LaneCredentials;
  /** Model ids sent in place of those that match: first match wins; empty on passthrough lanes. */
  readonly models: readonly (readonly [glob: string, id: string])[];
  readonly body: {
    readonly userId: 'drop' | 'keep';
    readonly attribution: 'drop' | 'keep';
  };
}

/** Waiting times by phase, ms. */
export interface Timeouts {
  readonly connectMs: number;
  readonly tlsMs: number;
  readonly headMs: number;
  readonly idleMs: number;
}

export interface Config {
  /** Absolute path of the home. */
  readonly home: string;
  readonly listen: {
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    /** What a client must present; required on anything but loopback. */
    readonly token: Secret | null;
  };
  /** Protocol towards upstreams: the client's own, always HTTP/2 where offered, or never. */
  readonly http2: 'follow' | 'always' | 'never';
  /** Lower-case host names whose port 443 is intercepted. */
  readonly intercept: readonly string[];
  readonly lanes: ReadonlyMap<string, LaneConfig>;
  readonly routes: readonly RouteRule[];
  readonly defaultLane: string;
  /** The lane that forcing Haiku uses (`zai`), or null where it is not configured. */
  readonly forceLane: string | null;
  /** `FORCE_HAIKU_TO_ZAI` and `OFFLOAD_PAUSED` at start; switched at run time. */
  readonly forceHaiku: boolean;
  readonly paused: boolean;
  readonly backoff: boolean;
  readonly filterChain: boolean;
  readonly bodyTee: boolean;
  readonly timeouts: Timeouts;
  /** Where blind tunnels and forwarded requests may lead. */
  readonly tunnels: TunnelPolicy;
  /** Absolute path of the file that was read, or null. */
  readonly file: string | null;
  /** Things worth saying that are no errors, for the log and `doctor`. */
  readonly notes: readonly string[];
}
