/**
 * Lanes: the built-in ones and those of the file, with their keys, trust roots and model maps.
 *
 * A lane named in the file replaces the built-in one of that name whole; the others stay. A keyed
 * lane whose variable is unset does not exist: that is a problem only where something is routed to
 * it (`routes.ts`). With twins every upstream, trust root and key is theirs, so that no real key can
 * reach a simulated upstream.
 */
import { dirname, resolve } from 'node:path';
import { Secret } from '../core/secret.ts';
import { type EnvironmentSettings, readCredential, type Variables } from './environment.ts';
import type { ConfigProblem } from './errors.ts';
import type { ConfigFile } from './file.ts';
import { fileProblem } from './issues.ts';
import type { FileLane } from './schema.ts';
import type { HeaderMode, LaneConfig, LaneCredentials, UpstreamConfig } from './types.ts';
import { parseUpstream, readTrustRoots } from './upstream.ts';

/** One simulated upstream. */
export interface TwinUpstream {
  readonly host: string;
  readonly port: number;
  /** PEM of the authority that its certificate comes from. */
  readonly ca: string;
  /** Path prefix without a trailing slash; empty for none. */
  readonly basePath: string;
}

/** Where lanes go in place of their upstreams (`--twin`). */
export interface TwinUpstreams {
  /** For passthrough lanes. */
  readonly anthropic: TwinUpstream;
  /** For keyed lanes. */
  readonly zai: TwinUpstream;
  /** The key of every keyed lane. */
  readonly zaiKey: string;
}

/** What lanes are made from. */
export interface LaneSources {
  readonly file: ConfigFile | null;
  readonly variables: Variables;
  readonly settings: EnvironmentSettings;
  readonly twin: TwinUpstreams | null;
}

/** The lanes, and what routing needs to know of those that could not be made. */
export interface ResolvedLanes {
  readonly lanes: Map<string, LaneConfig>;
  /** Every name that is declared, made or not. */
  readonly declared: readonly string[];
  /** Keyed lanes without a key: the variable that is unset, by lane. */
  readonly missing: ReadonlyMap<string, string>;
  /** The host of each lane's upstream as configured, before twins. */
  readonly hosts: ReadonlyMap<string, string>;
}

/** The lane of everything that is not routed elsewhere, and the lane that Haiku is forced to. */
export const DEFAULT_LANE = 'anthropic';
export const FORCE_LANE = 'zai';
/** The models that forcing, the default route and ZAI_MODEL are about. */
export const HAIKU_GLOB = '*haiku*';
/** The Messages API itself: the one host that every configuration may intercept. */
export const ANTHROPIC_HOST = 'api.anthropic.com';

const BUILT_IN: Readonly<Record<string, FileLane>> = {
  [DEFAULT_LANE]: { upstream: `https://${ANTHROPIC_HOST}`, credentials: 'passthrough' },
  [FORCE_LANE]: {
    upstream: 'https://api.z.ai/api/anthropic',
    credentials: { env: 'ZAI_API_KEY' },
  },
};

/** Where credentials go without any file. */
export const BUILT_IN_HOSTS: ReadonlySet<string> = new Set(
  Object.values(BUILT_IN).map(({ upstream }) => new URL(upstream).hostname),
);

/** The model map of the lane zai where it states none. */
const FORCE_LANE_MODELS: Readonly<Record<string, string>> = { [HAIKU_GLOB]: 'glm-4.5-air' };

/** What the ledger calls an upstream; by default its lane's name. */
const TAGS: Readonly<Record<string, string>> = { anthropic: 'anth' };

/** Makes every lane that can be made; problems are added to the list. */
export function resolveLanes(sources: LaneSources, problems: ConfigProblem[]): ResolvedLanes {
  const own = sources.file?.data.lanes ?? {};
  const declared = [...new Set([...Object.keys(BUILT_IN), ...Object.keys(own)])];
  const lanes = new Map<string, LaneConfig>();
  const missing = new Map<string, string>();
  const hosts = new Map<string, string>();
  for (const name of declared) {
    const written = Object.hasOwn(own, name) ? own[name] : undefined;
    const lane = written ?? BUILT_IN[name];
    if (lane === undefined) continue;
    const place = written === undefined ? null : sources.file;
    const upstream = readUpstream(name, lane, place, problems);
    if (upstream !== null) hosts.set(name, upstream.host);
    if (place !== null) checkKind(name, lane, place, problems);
    const credentials = readCredentials(name, lane, sources, problems);
    if (credentials.kind === 'missing') missing.set(name, credentials.variable);
    else if (credentials.kind !== 'refused' && upstream !== null) {
      lanes.set(name, makeLane(name, lane, upstream, credentials, sources));
    }
  }
  return { lanes, declared, missing, hosts };
}

function makeLane(
  name: string,
  lane: FileLane,
  upstream: UpstreamConfig,
  credentials: LaneCredentials,
  sources: LaneSources,
): LaneConfig {
  const keyed = credentials.kind === 'key';
  const bodyDefault = keyed ? 'drop' : 'keep';
  return {
    name,
    tag: TAGS[name] ?? name,
    upstream: sources.twin === null ? upstream : twinUpstream(sources.twin, keyed),
    credentials,
    models: keyed ? modelMap(name, lane, sources.settings) : [],
    body: {
      userId: lane.body?.user_id ?? bodyDefault,
      attribution: lane.body?.attribution ?? bodyDefault,
    },
  };
}

function twinUpstream(twins: TwinUpstreams, keyed: boolean): UpstreamConfig {
  const { host, port, ca, basePath } = keyed ? twins.zai : twins.anthropic;
  return { scheme: 'https', host, port, ca, basePath };
}

function readUpstream(
  name: string,
  lane: FileLane,
  place: ConfigFile | null,
  problems: ConfigProblem[],
): UpstreamConfig | null {
  const path = ['lanes', name];
  const parsed = parseUpstream(lane.upstream);
  if (!parsed.ok && place !== null) {
    problems.push(fileProblem(place, [...path, 'upstream'], parsed.message, parsed.mend));
  }
  let ca: string | null = null;
  if (lane.ca !== undefined && place !== null) {
    const roots = readTrustRoots(resolve(dirname(place.file), lane.ca));
    if (roots.ok) ca = roots.value;
    else problems.push(fileProblem(place, [...path, 'ca'], roots.message, roots.mend));
  }
  return parsed.ok ? { ...parsed.value, ca } : null;
}

/** Settings that make no sense for the kind of lane they stand on. */
function checkKind(
  name: string,
  lane: FileLane,
  place: ConfigFile,
  problems: ConfigProblem[],
): void {
  if (lane.credentials !== 'passthrough') return;
  const path = ['lanes', name];
  for (const setting of ['models', 'body'] as const) {
    if (lane[setting] === undefined) continue;
    const message = 'a passthrough lane sends every request as it came';
    const mend = 'remove this setting, or give the lane a key';
    problems.push(fileProblem(place, [...path, setting], message, mend));
  }
  if (name === FORCE_LANE) {
    const message = `the lane ${FORCE_LANE} would carry the credentials of the client to another provider`;
    const mend = 'give it its own key: { env: ZAI_API_KEY, header: x-api-key }';
    problems.push(fileProblem(place, [...path, 'credentials'], message, mend));
  }
}

/** Credentials, or the variable that is unset, or that it holds what no key can be. */
type FoundCredentials =
  | LaneCredentials
  | { readonly kind: 'missing'; readonly variable: string }
  | { readonly kind: 'refused' };

function readCredentials(
  name: string,
  lane: FileLane,
  sources: LaneSources,
  problems: ConfigProblem[],
): FoundCredentials {
  if (lane.credentials === 'passthrough') return { kind: 'passthrough' };
  const { env } = lane.credentials;
  const found = problems.length;
  const value = sources.twin?.zaiKey ?? readCredential(sources.variables, env, problems);
  if (value !== null) {
    return { kind: 'key', secret: Secret.of(value), header: headerMode(name, lane, sources) };
  }
  return problems.length === found ? { kind: 'missing', variable: env } : { kind: 'refused' };
}

function headerMode(name: string, lane: FileLane, sources: LaneSources): HeaderMode {
  const ofEnvironment = name === FORCE_LANE ? sources.settings.headerMode : null;
  const ofFile = lane.credentials === 'passthrough' ? undefined : lane.credentials.header;
  return ofEnvironment ?? ofFile ?? 'x-api-key';
}

/** The model map; on the lane zai with what ZAI_MODEL says of Haiku. */
function modelMap(
  name: string,
  lane: FileLane,
  settings: EnvironmentSettings,
): readonly (readonly [string, string])[] {
  const stated = Object.entries(lane.models ?? (name === FORCE_LANE ? FORCE_LANE_MODELS : {}));
  if (name !== FORCE_LANE || settings.zaiModel === null) return stated;
  const others = stated.filter(([glob]) => glob.toLowerCase() !== HAIKU_GLOB);
  // Empty: the name as it came, which is what no entry means.
  return settings.zaiModel === '' ? others : [[HAIKU_GLOB, settings.zaiModel], ...others];
}
