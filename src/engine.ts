/**
 * The proxy without a port: builds the rooms from a configuration, joins them, serves connections that
 * it is handed, and lets itself be asked and told. Policy lives in the rooms; this file only connects.
 *
 * Who listens, and who carries what is asked and told, is the caller's affair: a process of its own
 * (`proxy.ts`) or a supervisor's worker (`worker.ts`).
 */
import { constants, randomBytes } from 'node:crypto';
import type net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { type Counted, createMetrics } from './admin/metrics.ts';
import { ControlError, type Reloaded, type StatusReport } from './admin/types.ts';
import { diffConfig, upstreamUrl } from './config/describe.ts';
import { ConfigError } from './config/errors.ts';
import type { Config } from './config/types.ts';
import { DRAIN_MS_MAX } from './core/limits.ts';
import type { RoutingTable } from './core/route.ts';
import type { Secret } from './core/secret.ts';
import { createEdge, type EdgeLog, type EdgeSettings } from './edge/edge.ts';
import { ownHostsOf } from './edge/own-hosts.ts';
import { createLanes } from './lanes/create.ts';
import type { Lane } from './lanes/lane.ts';
import { openLedger } from './ledger/file-ledger.ts';
import { createHiding } from './ledger/hide.ts';
import type { AnomalyRecord, Ledger, UsageRecord } from './ledger/record.ts';
import { createTee } from './ledger/tee.ts';
import { createLog } from './log.ts';
import { heldBytesMax, memoryUse } from './memory-use.ts';
import { clientConnectionsMax } from './open-files.ts';
import { PkiError } from './pki/errors.ts';
import { type Authority, openAuthority } from './pki/store.ts';
import { createHoldBudget } from './relay/held-body.ts';
import { createRelay } from './relay/relay.ts';
import { systemClock } from './system-clock.ts';

export interface EngineOptions {
  readonly config: Config;
  /** Reads the configuration anew, for `reload`; without it `reload` is refused. */
  readonly reloadConfig?: () => Promise<Config>;
  /** Both lanes go to the embedded twin; only said in `status`. */
  readonly twin: boolean;
  readonly version: string;
  /** By default one JSON line an event on standard error. */
  readonly log?: EdgeLog;
}

export interface Engine {
  /** The address that the configuration asks for. */
  readonly wanted: { readonly host: string; readonly port: number };
  /** The trust bundle for NODE_EXTRA_CA_CERTS. */
  readonly bundlePath: string;
  /** Tells it the port that clients connect to: it begins to serve, and opens its ledger. */
  listensOn(port: number): void;
  /** Takes over an accepted connection, made with `allowHalfOpen: true`. */
  accept(socket: net.Socket): void;
  status(): StatusReport;
  counted(): Counted;
  pause(): void;
  resume(): void;
  /** @throws ControlError `no_force_lane` where no zai lane is configured */
  force(on: boolean): void;
  /** @throws ControlError `tee_disabled` where ENABLE_BODY_TEE is not 1 */
  tee(on: boolean): void;
  /** @throws ControlError `no_reload`, `bad_config` */
  reload(): Promise<Reloaded>;
  /** Records that something abnormal befell the program itself. */
  anomaly(record: AnomalyRecord): void;
  /** Lets open exchanges finish for `ms` at most, then closes everything. May be called again. */
  drain(ms?: number): Promise<void>;
  /** Closes at once; open streams are cut. */
  close(): Promise<void>;
}

/** What a reload replaces as one. */
interface Live {
  readonly config: Config;
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly authority: Authority;
  readonly secureContext: tls.SecureContext;
  readonly interceptHosts: ReadonlySet<string>;
}

/**
 * Makes an engine.
 *
 * @throws PkiError where the certificate authority's files are damaged or loose
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { home } = options.config;
  let live = await buildLive(options.config, null);
  let paused = live.config.paused;
  let force = live.config.forceHaiku;
  const log = options.log ?? createLog();
  const started = Date.now();

  const metrics = createMetrics();
  const hiding = createHiding();
  hiding.know(secretsOf(live.config));
  const tee = createTee({
    dir: join(home, 'logs'),
    hide: hiding.text,
    onFault: (message) => log.warn('tee', { message }),
  });
  const files = openLedger({
    dir: join(home, 'logs'),
    filterChain: options.config.filterChain,
    onFault: (message) => log.warn('ledger', { message }),
    onMended: (message) => log.warn('ledger', { message }),
  });
  const perLane = new Map<string, { exchanges: number; errors: number }>();
  const ledger: Ledger = {
    record(given) {
      const record = hiding.usage(given);
      files.record(record);
      metrics.observe(record);
      countLane(perLane, record);
    },
    anomaly: (record) => files.anomaly(hiding.anomaly(record)),
  };

  const routing = (): RoutingTable => ({
    routes: live.config.routes,
    defaultLane: live.config.defaultLane,
    forcedLane: force ? live.config.forceLane : null,
    paused,
  });
  const laneNamed = (name: string): Lane => {
    const lane = live.lanes.get(name) ?? live.lanes.get(live.config.defaultLane);
    if (lane === undefined) throw new Error(`no lane ${name}`);
    return lane;
  };
  const idPrefix = `lk_${randomBytes(6).toString('hex')}`;
  let idCount = 0;
  const relay = createRelay({
    routing,
    lane: laneNamed,
    ledger,
    clock: systemClock,
    random: Math.random,
    backoff: () => live.config.backoff,
    holdBudget: createHoldBudget(heldBytesMax()),
    tee,
    newId: () => {
      idCount += 1;
      return `${idPrefix}${idCount.toString(36)}`;
    },
  });

  let boundPort = options.config.listen.port;
  const settings = (): EdgeSettings => ({
    secureContext: live.secureContext,
    interceptHosts: live.interceptHosts,
    token: live.config.listen.token,
    ownPort: boundPort,
    ownHosts: ownHostsOf(live.config.listen.host),
    tunnels: live.config.tunnels,
  });
  const edge = createEdge({
    settings,
    onExchange: (inbound) => relay.handle(inbound),
    log,
    version: options.version,
    connectionsMax: clientConnectionsMax(),
  });

  let draining = false;
  let ending: Promise<void> | null = null;
  const end = async (graceMs: number): Promise<void> => {
    draining = true;
    edge.drain();
    if (graceMs > 0) await within(edge.drained(), graceMs);
    edge.destroy();
    for (const lane of live.lanes.values()) lane.close();
    await files.close();
    await tee.close();
  };

  const statusReport = (): StatusReport => {
    const { config, authority } = live;
    const memory = memoryUse();
    const { connections, tunnels } = edge.stats();
    return {
      version: options.version,
      pid: process.pid,
      started: started / 1000,
      uptime_s: Math.round((Date.now() - started) / 1000),
      listen: { host: config.listen.host, port: boundPort },
      home,
      config_file: config.file,
      twin: options.twin,
      paused,
      force,
      tee: tee.active,
      draining,
      lanes: [...live.lanes.values()].map((lane) => laneStatus(lane, config, perLane)),
      default_lane: config.defaultLane,
      connections,
      tunnels,
      exchanges: { open: relay.open, total: relay.total },
      ledger: files.stats(),
      ca: {
        hosts: authority.hosts,
        expires: authority.notAfter.toISOString(),
        bundle: authority.bundlePath,
      },
      memory: { rss_bytes: memory.rss, heap_bytes: memory.heapUsed },
      workers: [
        {
          pid: process.pid,
          started: started / 1000,
          draining,
          connections,
          exchanges_open: relay.open,
          rss_bytes: memory.rss,
          heap_bytes: memory.heapUsed,
        },
      ],
      workers_lost: 0,
      notes: [...config.notes, ...authority.notes],
    };
  };

  return {
    wanted: { host: options.config.listen.host, port: options.config.listen.port },
    bundlePath: live.authority.bundlePath,
    listensOn(port) {
      boundPort = port;
      files.start();
    },
    accept: (socket) => edge.accept(socket),
    status: statusReport,
    counted: metrics.counted,
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
    },
    force(on) {
      if (on && live.config.forceLane === null) {
        throw new ControlError(
          'no_force_lane',
          'Haiku can not be forced to zai: no zai lane is configured. Set ZAI_API_KEY and reload.',
        );
      }
      force = on;
    },
    tee(on) {
      if (on && !live.config.bodyTee) {
        throw new ControlError(
          'tee_disabled',
          'body samples need ENABLE_BODY_TEE=1 where the proxy was started.',
        );
      }
      tee.set(on);
    },
    async reload() {
      if (options.reloadConfig === undefined) {
        throw new ControlError('no_reload', 'this proxy was started without a configuration.');
      }
      const next = await options.reloadConfig().catch(refuseConfig);
      const changed = diffConfig(live.config, next);
      const old = live;
      live = await buildLive(next, old).catch(refuseConfig);
      hiding.know(secretsOf(next));
      if (next.paused !== old.config.paused) paused = next.paused;
      if (next.forceHaiku !== old.config.forceHaiku) force = next.forceHaiku;
      if (live.config.forceLane === null) force = false;
      if (!next.bodyTee) tee.set(false);
      files.setFilter(next.filterChain);
      files.reopen();
      for (const lane of old.lanes.values()) lane.close();
      return { changed, notes: next.notes };
    },
    anomaly: ledger.anomaly,
    drain(ms = DRAIN_MS_MAX) {
      ending ??= end(ms);
      return ending;
    },
    async close() {
      edge.destroy();
      ending ??= end(0);
      await ending;
    },
  };
}

/** All credentials that a configuration holds. */
function secretsOf({ lanes, listen }: Config): Secret[] {
  const keys = [...lanes.values()].flatMap(({ credentials }) =>
    credentials.kind === 'key' ? [credentials.secret] : [],
  );
  return listen.token === null ? keys : [...keys, listen.token];
}

/** A configuration that can not be used is told over the control socket in its own words. */
function refuseConfig(error: unknown): never {
  if (error instanceof ConfigError || error instanceof PkiError) {
    throw new ControlError('bad_config', error.message);
  }
  throw error;
}

async function buildLive(config: Config, old: Live | null): Promise<Live> {
  const sameHosts = old !== null && old.config.intercept.join() === config.intercept.join();
  const authority = sameHosts
    ? old.authority
    : await openAuthority(join(config.home, 'ca'), config.intercept);
  const lanes = createLanes(config.lanes, { http2: config.http2, timeouts: config.timeouts });
  if (old !== null) keepHeaderModes(old, lanes, config);
  return {
    config,
    lanes,
    authority,
    secureContext: sameHosts
      ? old.secureContext
      : tls.createSecureContext({
          cert: authority.leafCertPem,
          key: authority.leafKeyPem,
          minVersion: 'TLSv1.2',
          // No client of ours needs it, and each costs a handshake (RFC 9325 section 3.5).
          secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
        }),
    interceptHosts: new Set(config.intercept),
  };
}

/** A header mode that was learnt from a 401 outlives a reload that says nothing else. */
function keepHeaderModes(old: Live, lanes: ReadonlyMap<string, Lane>, config: Config): void {
  for (const [name, lane] of lanes) {
    const mode = old.lanes.get(name)?.headerMode ?? null;
    const before = old.config.lanes.get(name)?.credentials;
    const after = config.lanes.get(name)?.credentials;
    const same = before?.kind === 'key' && after?.kind === 'key' && before.header === after.header;
    if (same && mode !== null && lane.headerMode !== null) lane.keepHeaderMode(mode);
  }
}

function laneStatus(
  lane: Lane,
  config: Config,
  perLane: ReadonlyMap<string, { exchanges: number; errors: number }>,
): StatusReport['lanes'][number] {
  const configured = config.lanes.get(lane.name);
  const counts = perLane.get(lane.name) ?? { exchanges: 0, errors: 0 };
  const { idle, busy } = lane.stats();
  return {
    name: lane.name,
    upstream: configured === undefined ? '' : upstreamUrl(configured),
    credentials: lane.kind === 'keyed' ? 'key' : 'passthrough',
    header_mode: lane.headerMode,
    exchanges: counts.exchanges,
    errors: counts.errors,
    sockets_idle: idle,
    sockets_busy: busy,
  };
}

function countLane(
  perLane: Map<string, { exchanges: number; errors: number }>,
  record: UsageRecord,
): void {
  const counts = perLane.get(record.lane) ?? { exchanges: 0, errors: 0 };
  counts.exchanges += 1;
  if (record.err_type !== null) counts.errors += 1;
  perLane.set(record.lane, counts);
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}
