/**
 * The configuration, from all its sources: command line before environment before file before
 * default. Every problem is collected and reported at once; a configuration with a problem is never
 * used in part.
 *
 * What the environment names: see `environment.ts`; what the file may say: `schema.ts`.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  UPSTREAM_CONNECT_MS_MAX,
  UPSTREAM_HEAD_MS_MAX,
  UPSTREAM_IDLE_MS_MAX,
  UPSTREAM_TLS_MS_MAX,
} from '../core/limits.ts';
import { Secret } from '../core/secret.ts';
import {
  DOT_ENV,
  type EnvironmentSettings,
  mergeVariables,
  PORT_MAX,
  readCredential,
  readDotEnv,
  readEnvironment,
  resolveHome,
  type Variables,
} from './environment.ts';
import { ConfigError, type ConfigProblem, shapeOf, variableProblem } from './errors.ts';
import { type ConfigFile, findConfigFile, readConfigFile } from './file.ts';
import { fileProblem } from './issues.ts';
import {
  ANTHROPIC_HOST,
  BUILT_IN_HOSTS,
  FORCE_LANE,
  type ResolvedLanes,
  resolveLanes,
  type TwinUpstreams,
} from './lanes.ts';
import { ownToken, ownTokenPath } from './own-token.ts';
import { isWritableByAll } from './ownership.ts';
import { isHomeOfDotEnv, problemsOfOwners, refuseStrangeSettings } from './provenance.ts';
import { checkForcing, resolveDefaultLane, resolveIntercept, resolveRoutes } from './routes.ts';
import type { Config, Timeouts } from './types.ts';
import { isListenHost, isLoopback } from './upstream.ts';

export { readDotEnv } from './environment.ts';
export { ConfigError, type ConfigProblem } from './errors.ts';
export type { TwinUpstream, TwinUpstreams } from './lanes.ts';

/** What the command line knows. */
export interface LoadOptions {
  /** Working directory: `.env`, `lanekeeper.yaml` and relative options are looked up here. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** `--home`. */
  readonly home?: string | undefined;
  /** `--config`. */
  readonly configFile?: string | undefined;
  readonly overrides?:
    | { readonly host?: string | undefined; readonly port?: number | undefined }
    | undefined;
  /** `--twin`: the upstreams, trust roots and keys of all lanes. */
  readonly twin?: TwinUpstreams | undefined;
  /** Refuse what a file that nobody named may not ask for (`provenance.ts`); with twins it may. */
  readonly refuseStrange?: boolean | undefined;
}

const HOST_DEFAULT = '127.0.0.1';
const PORT_DEFAULT = 8082;
/** A shorter token could be guessed by somebody who can reach the port. */
const TOKEN_CHARS_GOOD = 16;

/**
 * Loads and checks the configuration.
 *
 * @throws ConfigError with every problem found; nothing else
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const problems: ConfigProblem[] = [];
  const cwd = resolve(options.cwd);
  const dotEnv = readDotEnv(cwd);
  if (dotEnv.problem !== null) problems.push(dotEnv.problem);
  const variables = mergeVariables(options.env, dotEnv.variables);
  const settings = readEnvironment(variables, problems);
  const userHome = options.env['HOME'] || homedir();
  const home = resolveHome(options.home, variables, cwd, userHome);
  const strangers = problemsOfOwners(home, join(cwd, DOT_ENV));
  if (strangers.length > 0) throw new ConfigError([...problems, ...strangers]);
  const file = await readFileOrFail(options.configFile, cwd, home, problems);

  const twin = options.twin ?? null;
  if (file !== null && twin === null && options.refuseStrange === true) {
    const ofDotEnv = isHomeOfDotEnv(options.home, options.env, dotEnv.variables);
    const provenance = { named: options.configFile, home, isHomeOfDotEnv: ofDotEnv };
    refuseStrangeSettings(file, provenance, BUILT_IN_HOSTS, problems);
  }
  const resolved = resolveLanes({ file, variables, settings, twin }, problems);
  const routes = resolveRoutes(file, resolved, problems);
  const defaultLane = resolveDefaultLane(file, resolved, problems);
  const intercept = resolveIntercept(file, resolved.hosts.get(defaultLane), problems);
  checkForcing(settings, resolved, problems);
  const listen = resolveListen(options, variables, settings, file, home, problems);
  if (problems.length > 0) throw new ConfigError(problems);

  const { lanes } = resolved;
  return freeze({
    home,
    listen,
    http2: resolveHttp2(settings, file),
    intercept,
    lanes,
    routes,
    defaultLane,
    forceLane: lanes.has(FORCE_LANE) ? FORCE_LANE : null,
    forceHaiku: settings.forceHaiku,
    paused: settings.paused,
    backoff: settings.backoff,
    filterChain: settings.filterChain,
    bodyTee: settings.bodyTee,
    timeouts: resolveTimeouts(file),
    tunnels: {
      private: file?.data.tunnels?.private ?? 'allow',
      metadata: file?.data.tunnels?.metadata ?? 'refuse',
    },
    file: file?.file ?? null,
    notes: [
      ...notesOn(resolved, listen.token, variables, tokenVariable(file)),
      ...notesOnHome(home),
    ],
  });
}

async function readFileOrFail(
  named: string | undefined,
  cwd: string,
  home: string,
  problems: readonly ConfigProblem[],
): Promise<ConfigFile | null> {
  try {
    const path = findConfigFile(named, cwd, home);
    return path === null ? null : await readConfigFile(path);
  } catch (error) {
    // Without the file nothing further can be judged, so what was found so far is all there is.
    if (error instanceof ConfigError) throw new ConfigError([...problems, ...error.problems]);
    throw error;
  }
}

function resolveListen(
  options: LoadOptions,
  variables: Variables,
  settings: EnvironmentSettings,
  file: ConfigFile | null,
  home: string,
  problems: ConfigProblem[],
): Config['listen'] {
  const { overrides } = options;
  const written = file?.data.listen;
  const host = overrides?.host ?? written?.host ?? HOST_DEFAULT;
  const port = overrides?.port ?? settings.port ?? written?.port ?? PORT_DEFAULT;
  const refuseHost = (message: string, mend: string): void => {
    const ofFile = overrides?.host === undefined && file !== null;
    problems.push(
      ofFile
        ? fileProblem(file, ['listen', 'host'], message, mend)
        : variableProblem('--host', message, mend, 'listen.host'),
    );
  };
  if (!isListenHost(host)) {
    refuseHost('is neither an IP address nor localhost', `name an address such as ${HOST_DEFAULT}`);
  }
  if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
    const message = `must be a port, and is ${shapeOf(port)}`;
    problems.push(variableProblem('--port', message, `name a number from 0 to ${PORT_MAX}`));
  }
  const token = resolveToken(variables, file, home, problems);
  const tokenNamed = written?.token !== undefined;
  if (token === null && !tokenNamed && isListenHost(host) && !isLoopback(host)) {
    const message = 'is not a loopback address, so clients must present a token, and none is set';
    refuseHost(message, 'set LANEKEEPER_TOKEN or listen.token, or listen on 127.0.0.1');
  }
  return { host, port, token };
}

/** The token of the file's variable, else of LANEKEEPER_TOKEN, else the home's own if asked for, else none. */
function resolveToken(
  variables: Variables,
  file: ConfigFile | null,
  home: string,
  problems: ConfigProblem[],
): Secret | null {
  const written = file?.data.listen?.token;
  const found = problems.length;
  const value = readCredential(variables, tokenVariable(file), problems);
  if (value !== null) return Secret.of(value);
  if (file === null || problems.length > found) return null;
  const path = ['listen', 'token'];
  if (written !== undefined && written !== 'auto') {
    const mend = `set ${written.env}, or remove listen.token`;
    problems.push(fileProblem(file, [...path, 'env'], `${written.env} is not set`, mend));
  }
  if (written !== 'auto') return null;
  try {
    return Secret.of(ownToken(home));
  } catch (error) {
    const mend = `remove ${ownTokenPath(home)}, or see to it that the home can be written`;
    problems.push(fileProblem(file, path, error instanceof Error ? error.message : '', mend));
    return null;
  }
}

/** The variables are two switches over one setting; an explicit 0 undoes what the file asks for. */
function resolveHttp2(settings: EnvironmentSettings, file: ConfigFile | null): Config['http2'] {
  if (settings.forceH1 === true) return 'never';
  if (settings.preferH2 === true) return 'always';
  const written = file?.data.http2 ?? 'follow';
  if (written === 'never' && settings.forceH1 === false) return 'follow';
  if (written === 'always' && settings.preferH2 === false) return 'follow';
  return written;
}

function resolveTimeouts(file: ConfigFile | null): Timeouts {
  const written = file?.data.timeouts;
  return {
    connectMs: written?.connect_ms ?? UPSTREAM_CONNECT_MS_MAX,
    tlsMs: written?.tls_ms ?? UPSTREAM_TLS_MS_MAX,
    headMs: written?.head_ms ?? UPSTREAM_HEAD_MS_MAX,
    idleMs: written?.idle_ms ?? UPSTREAM_IDLE_MS_MAX,
  };
}

/** The variable that the token would come from. */
function tokenVariable(file: ConfigFile | null): string {
  const written = file?.data.listen?.token;
  return typeof written === 'object' ? written.env : 'LANEKEEPER_TOKEN';
}

function notesOn(
  resolved: ResolvedLanes,
  token: Secret | null,
  variables: Variables,
  tokenName: string,
): string[] {
  const notes: string[] = [];
  for (const [lane, variable] of resolved.missing) {
    notes.push(`${variable} is not set, so there is no lane ${lane}`);
  }
  for (const [name, lane] of resolved.lanes) {
    const host = resolved.hosts.get(name);
    if (lane.credentials.kind === 'passthrough' && host !== ANTHROPIC_HOST) {
      notes.push(`lane ${name} carries the credentials of the client to ${host}`);
    }
  }
  const length = variables[tokenName]?.length ?? TOKEN_CHARS_GOOD;
  if (token !== null && length > 0 && length < TOKEN_CHARS_GOOD) {
    notes.push(`${tokenName} is shorter than ${TOKEN_CHARS_GOOD} characters`);
  }
  return notes;
}

/** A home that others may write into is no fault of its own where nobody else is, as in a container. */
function notesOnHome(home: string): string[] {
  if (!isWritableByAll(home)) return [];
  return [
    `every user may write into ${home}, and put a file in the place of one of ours: chmod o-w`,
  ];
}

function freeze(config: Config): Config {
  for (const lane of config.lanes.values()) freezeDeep(lane);
  for (const [name, value] of Object.entries(config)) {
    if (name !== 'lanes') freezeDeep(value);
  }
  return Object.freeze(config);
}

function freezeDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  // A secret holds nothing of its own; freezing it would be theatre.
  if (value instanceof Secret) return;
  for (const inner of Object.values(value)) freezeDeep(inner);
  Object.freeze(value);
}
