/**
 * What a drill runs against: a proxy of its own with a twin behind it, the proxy that runs for the
 * home, or one that is named by its URL.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { callControl, isRunning, readStatus } from '../../admin/client.ts';
import { ConfigError } from '../../config/errors.ts';
import { DRILL_KEPT_MAX, DRILL_STALL_MS } from '../../core/limits.ts';
import type { Secret } from '../../core/secret.ts';
import type { Access, ProxyView } from '../../drills/types.ts';
import { type FaultPlan, startTwin, type Twin } from '../../twin/index.ts';
import { proxyUrl } from '../environment.ts';
import { CliError, EXIT } from '../failure.ts';
import { type CommonOptions, configOf, homeOf } from '../settings.ts';
import { type ChildProxy, startChildProxy } from './child-proxy.ts';
import { asksForFaults, type FaultOptions, plannedFaults } from './faults.ts';
import { NO_VIEW, proxyView } from './proxy-view.ts';

/** How a target is chosen. */
export interface TargetOptions extends CommonOptions, FaultOptions {
  readonly twin?: boolean;
  readonly proxy?: string;
  readonly gateway?: boolean;
  /** Switches of a proxy of the drill's own, before those of this environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The client has a login of its own: over real lanes no other credential is asked for. */
  readonly login?: boolean;
}

export interface Target {
  readonly access: Access;
  readonly view: ProxyView;
  /** Where the twin runs in this process. */
  readonly twin: Twin | null;
  /** The answers come from a twin. */
  readonly simulated: boolean;
  /** For people. */
  readonly name: string;
  readonly evidence: string | null;
  /** Where results may be written. */
  readonly home: string;
  /** Sets whether Haiku is forced to zai; null where there is no control socket to say it over. */
  readonly force: ((on: boolean) => Promise<void>) | null;
  /** Leaves the switches as they were found. */
  close(): Promise<void>;
}

type Credential = Access['credential'];

/** Obviously none of anybody: the twin takes any. */
export const CANARY: Credential = ['authorization', 'Bearer sk-ant-oat01-drill-canary-0123456789'];

/** Of a client that has its own nobody reads this. */
const UNUSED: Credential = ['authorization', ''];

/**
 * Finds or starts it. The caller closes it.
 *
 * @param clientHttp2 the clients speak HTTP/2 where they can
 */
export async function openTarget(options: TargetOptions, clientHttp2: boolean): Promise<Target> {
  if (options.twin === true && options.proxy !== undefined) {
    throw new CliError('--twin and --proxy: choose one of them', EXIT.usage);
  }
  const faults = await plannedFaults(options);
  const home = homeOf(options);
  if (asksForFaults(options)) await checkOwnTwin(options, home);
  if (options.proxy !== undefined) return namedProxy(options, new URL(options.proxy), home);
  if (options.twin !== true && (await isRunning(home))) return runningProxy(options, home);
  return ownProxy(options, (http2) => {
    const isHttp2 = http2 === 'always' || (http2 === 'follow' && clientHttp2);
    return faults?.(isHttp2) ?? null;
  });
}

/** A plan is for a twin that nobody else uses, and that this process can compare with. */
async function checkOwnTwin(options: TargetOptions, home: string): Promise<void> {
  if (options.twin === true) return;
  if (options.proxy === undefined && !(await isRunning(home))) return;
  const names = '--faults and --fault-rate';
  throw new CliError(
    `${names} are for a twin of the drill's own, and this drill would run against a proxy that is there already; add --twin`,
    EXIT.usage,
  );
}

/** @param faultsFor what goes wrong, by how the proxy speaks to its upstreams */
async function ownProxy(
  options: TargetOptions,
  faultsFor: (http2: ChildProxy['http2']) => FaultPlan | null,
): Promise<Target> {
  const work = mkdtempSync(join(tmpdir(), 'lanekeeper-drill-'));
  // Simulated exchanges go into a home's ledger only where it was named.
  const home = options.home === undefined ? work : resolve(options.home);
  const twin = await startTwin({ keep: DRILL_KEPT_MAX });
  try {
    const child = await startChildProxy(twin, {
      home,
      work,
      configFile: options.config,
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    await twin.setFaults(faultsFor(child.http2));
    const access = accessOf(options, child.url, CANARY, join(home, 'ca', 'ca-cert.pem'));
    const ledger = join(home, 'logs', 'usage.jsonl');
    return {
      access,
      view: proxyView({ home, ledger, session: access.session, stop: child.stop }),
      twin,
      simulated: true,
      name: 'a proxy of its own, the twin behind it',
      evidence: ledger,
      home,
      force: (on) => setForce(home, on),
      close: async () => {
        await child.stop();
        await twin.close();
        if (home !== work) rmSync(work, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await twin.close();
    rmSync(work, { recursive: true, force: true });
    throw error;
  }
}

async function runningProxy(options: TargetOptions, home: string): Promise<Target> {
  const status = await readStatus(home);
  const url = new URL(proxyUrl(status.listen, await tokenFor(options)));
  const credential = status.twin ? CANARY : ownCredential(options);
  const access = accessOf(options, url, credential, status.ca.bundle);
  const ledger = status.ledger.path;
  return {
    access,
    view: proxyView({ home, ledger, session: access.session, stop: null }),
    twin: null,
    simulated: status.twin,
    name: `the running proxy at ${url.host}${status.twin ? ', its twin behind it' : ''}`,
    evidence: ledger,
    home,
    force: (on) => setForce(home, on),
    close: () => restoreForce(home, status.force),
  };
}

/** What the running proxy wants of its clients, as far as the configuration of here says. */
async function tokenFor(options: TargetOptions): Promise<Secret | null> {
  try {
    return (await configOf(options)).listen.token;
  } catch (error) {
    // The proxy may have been started elsewhere, with a better one.
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

/** A URL that leads to the home's own proxy is that proxy: then its ledger can be read. */
async function namedProxy(options: TargetOptions, url: URL, home: string): Promise<Target> {
  if (await isRunning(home)) {
    const { port } = (await readStatus(home)).listen;
    if (Number(url.port) === port) return runningProxy(options, home);
  }
  return {
    access: accessOf(options, url, ownCredential(options), join(home, 'ca', 'ca-cert.pem')),
    view: NO_VIEW,
    twin: null,
    simulated: false,
    name: `the proxy at ${url.host}`,
    evidence: null,
    home,
    force: null,
    close: async () => undefined,
  };
}

async function setForce(home: string, on: boolean): Promise<void> {
  await callControl(home, 'POST', '/force', { on });
}

/** A proxy that has gone meanwhile has no switch to restore. */
async function restoreForce(home: string, on: boolean): Promise<void> {
  if (!(await isRunning(home)) || (await readStatus(home)).force === on) return;
  await setForce(home, on);
}

/** How clients reach a proxy, under a session of their own. */
export function accessOf(
  options: Pick<TargetOptions, 'gateway'>,
  url: URL,
  credential: Credential,
  bundle: string,
): Access {
  const gateway = options.gateway === true;
  return {
    url,
    via: gateway ? 'gateway' : 'connect',
    ca: gateway ? null : readBundle(bundle),
    credential,
    session: randomUUID(),
    stallMs: DRILL_STALL_MS,
  };
}

function readBundle(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new CliError(
      `the trust bundle ${path} can not be read; name the proxy's home with --home, or use --gateway`,
    );
  }
}

/** What the clients of a drill on real lanes pay with. */
function ownCredential({ login }: TargetOptions): Credential {
  if (login === true) return UNUSED;
  const key = process.env['ANTHROPIC_API_KEY'];
  if (key !== undefined && key !== '') return ['x-api-key', key];
  const token = process.env['ANTHROPIC_AUTH_TOKEN'];
  if (token !== undefined && token !== '') return ['authorization', `Bearer ${token}`];
  throw new CliError(
    'a drill over real lanes needs a credential of your own: set ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN, or use --twin',
  );
}
