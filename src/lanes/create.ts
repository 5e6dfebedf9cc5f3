/**
 * Lanes from a configuration.
 *
 * A reload makes new lanes and closes the old ones: idle connections go, open exchanges end in peace,
 * and what was prepared for an old lane may still be opened on it.
 */
import assert from 'node:assert/strict';
import type { Config, HeaderMode, LaneConfig, Timeouts } from '../config/types.ts';
import type { Secret } from '../core/secret.ts';
import { assertNoForeignSecret } from './isolation.ts';
import type { ConnectionFact, Lane, LaneRequest, PreparedRequest } from './lane.ts';
import { createPool } from './pool.ts';
import { prepareKeyed } from './prepare-keyed.ts';
import { preparePassthrough } from './prepare-passthrough.ts';
import { describeUpstream, POOL_LIMITS, type PoolLimits, type Upstream } from './upstream.ts';
import type { Surroundings } from './wakefulness.ts';

export interface LanesOptions {
  /** Protocol towards upstreams. */
  readonly http2: Config['http2'];
  readonly timeouts: Timeouts;
  /** Told of every connection that became ready. */
  readonly onSession?: (fact: ConnectionFact) => void;
  /** Other bounds of the pools than those of `limits.ts`. */
  readonly limits?: Partial<PoolLimits>;
  /** Other clocks and addresses than the machine's. */
  readonly surroundings?: Surroundings;
}

/** Makes the lanes of a configuration; nothing is connected yet. */
export function createLanes(
  configs: ReadonlyMap<string, LaneConfig>,
  options: LanesOptions,
): ReadonlyMap<string, Lane> {
  const lanes = new Map<string, Lane>();
  for (const [name, config] of configs) {
    const upstream = describeUpstream(
      name,
      config.upstream,
      options.timeouts,
      { ...POOL_LIMITS, ...options.limits },
      options.onSession ?? (() => {}),
      options.surroundings,
    );
    lanes.set(name, createLane(config, upstream, foreignSecrets(configs, config), options.http2));
  }
  return lanes;
}

/** The secrets of all other lanes; one that this lane was given too is no foreign one. */
function foreignSecrets(configs: ReadonlyMap<string, LaneConfig>, own: LaneConfig): Secret[] {
  const ownSecret = secretOf(own);
  const secrets: Secret[] = [];
  for (const config of configs.values()) {
    const secret = secretOf(config);
    if (config === own || secret === null) continue;
    if (ownSecret === null || !ownSecret.isSame(secret)) secrets.push(secret);
  }
  return secrets;
}

function secretOf({ credentials }: LaneConfig): Secret | null {
  return credentials.kind === 'key' ? credentials.secret : null;
}

function createLane(
  config: LaneConfig,
  upstream: Upstream,
  foreign: readonly Secret[],
  http2: Config['http2'],
): Lane {
  const { name, tag, credentials } = config;
  const pool = createPool(upstream);
  let mode: HeaderMode | null = credentials.kind === 'key' ? credentials.header : null;

  function prepare(request: LaneRequest, headerMode: HeaderMode | undefined): PreparedRequest {
    const { authority } = upstream;
    const protocol = protocolFor(http2, request.clientProtocol, upstream);
    if (credentials.kind === 'passthrough') {
      const { basePath } = config.upstream;
      return preparePassthrough({ lane: name, authority, basePath, protocol }, request);
    }
    assert(mode !== null, 'a keyed lane has a header mode');
    const rules = { config, authority, protocol, secret: credentials.secret };
    return prepareKeyed(rules, request, headerMode ?? mode);
  }

  return {
    name,
    tag,
    kind: credentials.kind === 'key' ? 'keyed' : 'passthrough',
    get headerMode() {
      return mode;
    },
    keepHeaderMode(kept) {
      if (mode !== null) mode = kept;
    },
    prepare(request, headerMode) {
      const prepared = prepare(request, headerMode);
      assertNoForeignSecret(name, prepared.target, prepared.fields, foreign);
      return prepared;
    },
    open: (request, events) => pool.open(request, events),
    close: () => pool.close(),
    stats: () => pool.stats(),
  };
}

function protocolFor(
  http2: Config['http2'],
  clientProtocol: 'h1' | 'h2',
  upstream: Upstream,
): PreparedRequest['protocol'] {
  if (http2 === 'never' || upstream.config.scheme === 'http') return 'h1';
  if (http2 === 'always') return 'prefer-h2';
  return clientProtocol;
}
