/**
 * One lane's upstream as its transports see it: where it is, how long to wait for it, how its
 * certificate is verified, and what was learnt about its protocols.
 */
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Timeouts, UpstreamConfig } from '../config/types.ts';
import { formatAuthority } from '../core/authority.ts';
import {
  ALPN_MEMORY_MS_MAX,
  H2_PING_MS,
  H2_SESSIONS_MAX,
  H2_STREAMS_PER_SESSION_MAX,
  POOL_IDLE_MS_MAX,
  POOL_IDLE_SOCKETS_MAX,
  WAKE_BEAT_MS,
  WAKE_DRIFT_MS_MAX,
  WAKE_LATE_MS_MAX,
} from '../core/limits.ts';
import { IdleTrust } from './idle-trust.ts';
import type { ConnectionFact } from './lane.ts';
import { MACHINE, type Surroundings, Wakefulness, type WakeLimits } from './wakefulness.ts';

/** Bounds of the pools; those of `limits.ts` unless a test needs smaller ones. */
export interface PoolLimits extends WakeLimits {
  readonly idleMs: number;
  readonly idleSocketsMax: number;
  readonly h2StreamsMax: number;
  readonly h2SessionsMax: number;
  readonly h2PingMs: number;
  readonly alpnMemoryMs: number;
}

export const POOL_LIMITS: PoolLimits = {
  idleMs: POOL_IDLE_MS_MAX,
  idleSocketsMax: POOL_IDLE_SOCKETS_MAX,
  h2StreamsMax: H2_STREAMS_PER_SESSION_MAX,
  h2SessionsMax: H2_SESSIONS_MAX,
  h2PingMs: H2_PING_MS,
  alpnMemoryMs: ALPN_MEMORY_MS_MAX,
  wakeBeatMs: WAKE_BEAT_MS,
  wakeLateMs: WAKE_LATE_MS_MAX,
  wakeDriftMs: WAKE_DRIFT_MS_MAX,
};

export interface Upstream {
  readonly lane: string;
  readonly config: UpstreamConfig;
  /** As it stands in `Host`: without the scheme's default port. */
  readonly authority: string;
  readonly timeouts: Timeouts;
  readonly limits: PoolLimits;
  /** How long its idle connections are good for. */
  readonly idle: IdleTrust;
  /** Whether what rested may have died in a sleep of the machine. */
  readonly wake: Wakefulness;
  /** The one secure context of all its connections: parsing roots for each cost 1.7 ms. */
  secureContext(): SecureContext;
  /** Told of every connection that became ready. */
  readonly onSession: (fact: ConnectionFact) => void;
  /** Until then (`performance.now()`) HTTP/2 is not offered: the upstream chose HTTP/1.1. */
  h1OnlyUntil: number;
  /** Until then large bodies are not sent by HTTP/1.1: the upstream refused a handshake for it. */
  h2OnlyUntil: number;
}

const DEFAULT_PORTS = { https: 443, http: 80 } as const;

/** Describes an upstream. The secure context is made when it is first needed. */
export function describeUpstream(
  lane: string,
  config: UpstreamConfig,
  timeouts: Timeouts,
  limits: PoolLimits,
  onSession: (fact: ConnectionFact) => void,
  surroundings: Surroundings = MACHINE,
): Upstream {
  const port = config.port === DEFAULT_PORTS[config.scheme] ? null : config.port;
  let context: SecureContext | null = null;
  return {
    lane,
    config,
    authority: port === null ? bareHost(config.host) : formatAuthority(config.host, port),
    timeouts,
    limits,
    idle: new IdleTrust(limits.idleMs),
    wake: new Wakefulness(limits, surroundings),
    secureContext() {
      context ??= createSecureContext({
        // Said, since NODE_OPTIONS could allow less.
        minVersion: 'TLSv1.2',
        ...(config.ca === null ? {} : { ca: [...getCACertificates('default'), config.ca] }),
      });
      return context;
    },
    onSession,
    h1OnlyUntil: 0,
    h2OnlyUntil: 0,
  };
}

/** An IPv6 literal stands in brackets (RFC 3986 section 3.2.2). */
function bareHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
