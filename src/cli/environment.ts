/**
 * The environment of a client that uses the proxy: what `run` sets for its command, `env` prints for
 * a shell, `doctor` tries out and `demo` follows. Pure; nothing is read but what is passed.
 */
import { isIPv6 } from 'node:net';

import { reveal, type Secret } from '../core/secret.ts';

/** Variables by name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The changes that make a client use the proxy. */
export interface ClientEnvironment {
  readonly set: Readonly<Record<string, string>>;
  readonly unset: readonly string[];
  /** What the user should know about a change to their own settings. Never a value of theirs. */
  readonly notes: readonly string[];
}

/** Variables that would lead Claude Code past the proxy, or replace the user's own login. */
const LEADING_ASTRAY = ['ANTHROPIC_BASE_URL', 'ANTHROPIC_AUTH_TOKEN'] as const;
const PROXY_NAMES = ['HTTPS_PROXY', 'https_proxy'] as const;
const BYPASS_NAMES = ['NO_PROXY', 'no_proxy'] as const;
const ANY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::', '']);

/**
 * The address that clients use, the token included where one is needed.
 *
 * @param listen where the proxy listens; an address that means "all" becomes the loopback one
 */
export function proxyUrl(listen: { host: string; port: number }, token: Secret | null): string {
  const host = ANY_ADDRESS.has(listen.host) ? '127.0.0.1' : listen.host;
  const login = token === null ? '' : `lanekeeper:${encodeURIComponent(reveal(token))}@`;
  return `http://${login}${isIPv6(host) ? `[${host}]` : host}:${listen.port}`;
}

/** The changes to `base` for a client of the proxy at `url` that trusts the bundle `trust`. */
export function clientEnvironment(options: {
  readonly base: Variables;
  readonly url: string;
  /** Absolute path of the PEM bundle. */
  readonly trust: string;
  /** Hosts that must not be reached around the proxy. */
  readonly intercept: readonly string[];
}): ClientEnvironment {
  const set: Record<string, string> = {};
  const unset: string[] = [...LEADING_ASTRAY];
  const notes: string[] = [];
  for (const name of PROXY_NAMES) set[name] = options.url;
  set['NODE_EXTRA_CA_CERTS'] = options.trust;
  for (const name of BYPASS_NAMES) {
    const value = options.base[name];
    if (value === undefined) continue;
    const { kept, removed } = splitBypass(value, options.intercept);
    if (removed.length === 0) continue;
    notes.push(`${name} would lead around the proxy; left out of it: ${removed.join(' ')}`);
    if (kept.length === 0) unset.push(name);
    else set[name] = kept.join(',');
  }
  return { set, unset, notes };
}

/** A copy of `base` with the changes made. */
export function withChanges(base: Variables, changes: ClientEnvironment): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(base)) {
    if (value !== undefined && !changes.unset.includes(name)) result[name] = value;
  }
  return Object.assign(result, changes.set);
}

/** The entries of a `NO_PROXY` value: those that match one of the hosts, and the others. */
export function splitBypass(
  value: string,
  hosts: readonly string[],
): { readonly kept: readonly string[]; readonly removed: readonly string[] } {
  const kept: string[] = [];
  const removed: string[] = [];
  for (const entry of value.split(/[\s,]+/)) {
    if (entry === '') continue;
    if (hosts.some((host) => bypasses(entry, host))) removed.push(entry);
    else kept.push(entry);
  }
  return { kept, removed };
}

/**
 * True if any client known to us would take the entry for the host. Clients differ (whether
 * `example.com` covers subdomains, whether `*` may stand in front), so the widest reading counts.
 */
function bypasses(entry: string, host: string): boolean {
  const [name = '', port] = entry.toLowerCase().split(':');
  if (port !== undefined && port !== '443') return false;
  const suffix = name.replace(/^\*?\.?/, '');
  return suffix === '' || host === suffix || host.endsWith(`.${suffix}`);
}
