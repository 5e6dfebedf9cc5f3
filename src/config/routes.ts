/**
 * Routing: the routes of the file or the default one, the default lane, the hosts that are
 * intercepted, and whether Haiku can be forced. Whatever would be routed to a lane that does not
 * exist is a problem at start, not at the first request.
 */
import type { RouteRule } from '../core/route.ts';
import type { EnvironmentSettings } from './environment.ts';
import { type ConfigProblem, variableProblem } from './errors.ts';
import type { ConfigFile } from './file.ts';
import { fileProblem, type SettingPath } from './issues.ts';
import {
  ANTHROPIC_HOST,
  DEFAULT_LANE,
  FORCE_LANE,
  HAIKU_GLOB,
  type ResolvedLanes,
} from './lanes.ts';
import { suggestion } from './suggest.ts';
import { isDnsName } from './upstream.ts';

/** The routes in force, first match wins. */
export function resolveRoutes(
  file: ConfigFile | null,
  resolved: ResolvedLanes,
  problems: ConfigProblem[],
): RouteRule[] {
  const written = file?.data.routes;
  if (file === null || written === undefined) return defaultRoutes(resolved);
  const names = new Set<string>();
  return written.map((route, index) => {
    const path = ['routes', index];
    if (names.has(route.name)) {
      const message = `another route is called "${route.name}"`;
      problems.push(fileProblem(file, [...path, 'name'], message, 'give each route its own name'));
    }
    names.add(route.name);
    checkLane(file, [...path, 'lane'], route.lane, resolved, problems);
    const { model, agent, path: glob } = route.when ?? {};
    const when = {
      ...(model === undefined ? {} : { model }),
      ...(agent === undefined ? {} : { agent }),
      ...(glob === undefined ? {} : { path: glob }),
    };
    return { decision: `rule:${route.name}`, when, lane: route.lane };
  });
}

/** Haiku requests of subagents take zai, where it has a key. */
function defaultRoutes(resolved: ResolvedLanes): RouteRule[] {
  if (!resolved.lanes.has(FORCE_LANE)) return [];
  const when = { model: HAIKU_GLOB, agent: 'subagent' } as const;
  return [{ decision: 'subagent', when, lane: FORCE_LANE }];
}

/** The lane of every request that no route matches. */
export function resolveDefaultLane(
  file: ConfigFile | null,
  resolved: ResolvedLanes,
  problems: ConfigProblem[],
): string {
  const name = file?.data.default ?? DEFAULT_LANE;
  if (file === null) return name;
  const path = defaultLanePath(file);
  checkLane(file, path, name, resolved, problems);
  if (resolved.lanes.get(name)?.credentials.kind === 'key') {
    const message = 'is a keyed lane: what can not be routed for sure must travel unchanged';
    problems.push(fileProblem(file, path, message, 'name a lane with credentials: passthrough'));
  }
  return name;
}

/** The setting that decides the default lane: a built-in name may stand for a lane of the file. */
function defaultLanePath(file: ConfigFile): SettingPath {
  return file.data.default === undefined ? ['lanes', DEFAULT_LANE] : ['default'];
}

/**
 * The hosts whose TLS ends here. Every request that no route takes goes to the default lane, so only
 * hosts that the default lane stands for may be intercepted.
 */
export function resolveIntercept(
  file: ConfigFile | null,
  defaultHost: string | undefined,
  problems: ConfigProblem[],
): string[] {
  const hosts = file?.data.intercept;
  if (file === null || hosts === undefined) return [ANTHROPIC_HOST];
  const allowed = [ANTHROPIC_HOST];
  if (defaultHost !== undefined && isDnsName(defaultHost) && defaultHost !== ANTHROPIC_HOST) {
    allowed.push(defaultHost);
  }
  for (const [index, host] of hosts.entries()) {
    const path = ['intercept', index];
    if (!isDnsName(host)) {
      const message = 'is not a lower-case host name (no address, wildcard, port or final dot)';
      problems.push(fileProblem(file, path, message, `name ${allowed.join(' or ')}`));
    } else if (!allowed.includes(host)) {
      const message =
        'unknown host: its requests would go to the default lane, which is not its own';
      const mend = `name ${allowed.join(' or ')}, or make it the upstream of the default lane`;
      problems.push(fileProblem(file, path, message, mend));
    }
  }
  return [...new Set(hosts)];
}

/** Forcing needs the lane zai; without it a Haiku request would silently go elsewhere. */
export function checkForcing(
  settings: EnvironmentSettings,
  resolved: ResolvedLanes,
  problems: ConfigProblem[],
): void {
  const variable = resolved.missing.get(FORCE_LANE);
  if (!settings.forceHaiku || variable === undefined) return;
  const message = `is 1, but there is no lane ${FORCE_LANE}: ${variable} is not set`;
  const mend = `set ${variable}, or FORCE_HAIKU_TO_ZAI=0`;
  problems.push(variableProblem('FORCE_HAIKU_TO_ZAI', message, mend));
}

function checkLane(
  file: ConfigFile,
  path: SettingPath,
  name: string,
  resolved: ResolvedLanes,
  problems: ConfigProblem[],
): void {
  const variable = resolved.missing.get(name);
  if (variable !== undefined) {
    const message = `goes to the lane ${name}, whose key is missing: ${variable} is not set`;
    const mend = `set ${variable}, or choose another lane`;
    problems.push(fileProblem(file, path, message, mend));
  } else if (!resolved.declared.includes(name)) {
    const message = `there is no lane "${name}"`;
    problems.push(fileProblem(file, path, message, suggestion(name, resolved.declared)));
  }
}
