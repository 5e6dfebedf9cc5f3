/**
 * A configuration as plain facts without a secret, and what changed between two of them.
 */
import type { Secret } from '../core/secret.ts';
import type { Config, LaneConfig } from './types.ts';

/** Plain JSON. */
export type Facts = { readonly [name: string]: Fact };
export type Fact = string | number | boolean | null | readonly Fact[] | Facts;

/** Settings that a running proxy can not take over: they need a restart. */
const RESTART_SETTINGS: ReadonlySet<string> = new Set(['home', 'listen.host', 'listen.port']);
const RESTART_SUFFIX = ' (needs a restart)';

/** The whole configuration for logs and `doctor`; keys and tokens appear as `set` or `none`. */
export function describeConfig(config: Config): Facts {
  const lanes: Record<string, Fact> = {};
  for (const lane of config.lanes.values()) lanes[lane.name] = describeLane(lane);
  return {
    file: config.file,
    home: config.home,
    listen: {
      host: config.listen.host,
      port: config.listen.port,
      token: config.listen.token === null ? 'none' : 'set',
    },
    http2: config.http2,
    intercept: config.intercept,
    lanes,
    routes: config.routes.map(({ decision, when, lane }) => ({
      decision,
      when: { ...when } as Facts,
      lane,
    })),
    default: config.defaultLane,
    force_lane: config.forceLane,
    force_haiku: config.forceHaiku,
    paused: config.paused,
    backoff: config.backoff,
    filter_chain: config.filterChain,
    body_tee: config.bodyTee,
    timeouts: {
      connect_ms: config.timeouts.connectMs,
      tls_ms: config.timeouts.tlsMs,
      head_ms: config.timeouts.headMs,
      idle_ms: config.timeouts.idleMs,
    },
    tunnels: { ...config.tunnels },
    notes: config.notes,
  };
}

/** The URL of a lane's upstream. */
export function upstreamUrl(lane: LaneConfig): string {
  const { scheme, host, port, basePath } = lane.upstream;
  const name = host.includes(':') ? `[${host}]` : host;
  const usual = scheme === 'https' ? 443 : 80;
  return `${scheme}://${name}${port === usual ? '' : `:${port}`}${basePath}`;
}

/**
 * The names of the settings that differ, such as `lanes.zai.models` or `listen.port (needs a
 * restart)`. A changed key is named, never shown.
 */
export function diffConfig(before: Config, after: Config): string[] {
  const old = leaves(before);
  const young = leaves(after);
  const changed = [...new Set([...old.keys(), ...young.keys()])].filter(
    (name) => old.get(name) !== young.get(name),
  );
  for (const [name, secret] of secrets(after)) {
    const former = secrets(before).get(name);
    if (former !== undefined && !secret.isSame(former)) changed.push(name);
  }
  const names = new Set(changed.map((name) => laneOrSetting(name, before, after)));
  return [...names].map((name) => (RESTART_SETTINGS.has(name) ? `${name}${RESTART_SUFFIX}` : name));
}

function describeLane(lane: LaneConfig): Facts {
  const { credentials } = lane;
  return {
    upstream: upstreamUrl(lane),
    upstream_tag: lane.tag,
    credentials: credentials.kind,
    header_mode: credentials.kind === 'key' ? credentials.header : null,
    models: lane.models.map(([glob, id]) => ({ glob, id })),
    ca: lane.upstream.ca === null ? 'system' : 'system and own',
    body: { user_id: lane.body.userId, attribution: lane.body.attribution },
  };
}

/** Settings by name, each as text that is equal where the setting is. */
function leaves(config: Config): Map<string, string> {
  const { notes: _notes, lanes, ...facts } = describeConfig(config);
  const found = new Map<string, string>();
  const add = (name: string, fact: Fact): void => {
    found.set(name, JSON.stringify(fact));
  };
  for (const [name, fact] of Object.entries(facts)) {
    if (name === 'listen' || name === 'timeouts' || name === 'tunnels') {
      for (const [inner, value] of Object.entries(fact as Facts)) add(`${name}.${inner}`, value);
    } else {
      add(name, fact);
    }
  }
  for (const [lane, settings] of Object.entries(lanes as Facts)) {
    for (const [name, value] of Object.entries(settings as Facts)) {
      add(`lanes.${lane}.${name}`, value);
    }
    add(`lanes.${lane}.ca`, config.lanes.get(lane)?.upstream.ca ?? null);
  }
  return found;
}

/** A setting of a lane that is new or gone stands for the whole lane. */
function laneOrSetting(name: string, before: Config, after: Config): string {
  const lane = /^lanes\.([^.]+)\./.exec(name)?.[1];
  if (lane === undefined) return name;
  return before.lanes.has(lane) && after.lanes.has(lane) ? name : `lanes.${lane}`;
}

function secrets(config: Config): Map<string, Secret> {
  const found = new Map<string, Secret>();
  if (config.listen.token !== null) found.set('listen.token', config.listen.token);
  for (const { name, credentials } of config.lanes.values()) {
    if (credentials.kind === 'key') found.set(`lanes.${name}.credentials`, credentials.secret);
  }
  return found;
}
