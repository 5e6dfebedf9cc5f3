/**
 * The program under simulation: edge, relay and lanes as `engine.ts` joins them, on simulated sockets,
 * with the switches that can be thrown at run time. What is watched is watched at the ports between
 * the rooms; a sabotage of the tests stands in the same places.
 */
import tls from 'node:tls';
import type { LaneConfig } from '../src/config/types.ts';
import type { Inbound, Outbound, OutboundEvents } from '../src/core/ports.ts';
import type { RoutingTable } from '../src/core/route.ts';
import { Secret } from '../src/core/secret.ts';
import type { ConnectionContext, EdgeCounts, Role } from '../src/edge/context.ts';
import { createEdge, type Edge, type EdgeSettings } from '../src/edge/edge.ts';
import { Http1Connection } from '../src/edge/h1-connection.ts';
import { createLanes } from '../src/lanes/create.ts';
import type { Lane, PreparedRequest } from '../src/lanes/lane.ts';
import type { Ledger, UsageRecord } from '../src/ledger/record.ts';
import { BodyBuffer } from '../src/ledger/tee.ts';
import { createHoldBudget, type HoldBudget } from '../src/relay/held-body.ts';
import { type BodyTee, createRelay, type Relay } from '../src/relay/relay.ts';
import { canaryOf } from './canaries.ts';
import { DEFAULT_LANE, LANES, MAPPED_MODEL } from './model.ts';
import { INTERCEPTED_HOST } from './requests.ts';
import type { SimSocket } from './socket.ts';
import type { Story } from './story.ts';
import { wireValue } from './wire-reader.ts';
import type { World } from './world.ts';

/** Unix ms at which every run begins: 14 November 2023, 22:13:20. */
export const WALL_START = 1_700_000_000_000;

/** Where a test may break the program on purpose. */
export interface Sabotage {
  lane?(lane: Lane): Lane;
  inbound?(inbound: Inbound): Inbound;
  ledger?(ledger: Ledger): Ledger;
  routing?(table: RoutingTable): RoutingTable;
}

const BEAT_MS = 120_000;

const ROUTES: RoutingTable['routes'] = [
  { decision: 'subagent', when: { model: '*haiku*', agent: 'subagent' }, lane: 'zai' },
  { decision: 'rule:opus', when: { model: '*opus*' }, lane: 'other' },
];

export class SimProxy {
  readonly edge: Edge;
  readonly relay: Relay;
  readonly budget: HoldBudget;
  readonly counts: EdgeCounts = { connections: 0, tunnels: 0, exchanges: 0 };
  readonly #world: World;
  readonly #sabotage: Sabotage;
  readonly #onRecord: (story: Story, record: UsageRecord) => void;
  readonly #byRid = new Map<string, Story>();
  readonly #settings: EdgeSettings;
  #lanes = new Map<string, Lane>();
  #table: RoutingTable = {
    routes: ROUTES,
    defaultLane: DEFAULT_LANE,
    forcedLane: null,
    paused: false,
  };
  #keySerial = 0;
  #handling: Story | null = null;
  #rids = 0;
  /** What the wall clock was set forward by, and which network the machine is in. */
  #clockAheadMs = 0;
  #network = 0;
  isDraining = false;

  constructor(
    world: World,
    sabotage: Sabotage,
    onRecord: (story: Story, record: UsageRecord) => void,
  ) {
    this.#world = world;
    this.#sabotage = sabotage;
    this.#onRecord = onRecord;
    this.#settings = {
      secureContext: SECURE_CONTEXT,
      interceptHosts: new Set([INTERCEPTED_HOST]),
      token: null,
      ownPort: 8082,
      ownHosts: ['127.0.0.1'],
      tunnels: { private: 'allow', metadata: 'refuse' },
    };
    this.budget = createHoldBudget(world.knobs.holdBytes);
    this.reload();
    const ledger = this.#ledger();
    this.relay = createRelay({
      routing: () => sabotage.routing?.(this.#table) ?? this.#table,
      lane: (name) => this.#lanes.get(name) ?? this.#default(),
      ledger: sabotage.ledger?.(ledger) ?? ledger,
      clock: {
        now: () => world.now,
        wall: () => WALL_START + world.now,
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
      },
      random: () => world.random.float(),
      backoff: () => world.knobs.backoff,
      holdBudget: this.budget,
      tee: this.#tee(),
      newId: () => this.#newId(),
    });
    this.edge = createEdge({
      settings: () => this.#settings,
      onExchange: (inbound) => this.handle(inbound),
      log: { warn: () => undefined },
      version: 'simulated',
    });
  }

  /* ---- the ways in ---- */

  /** A connection to the proxy's own port. */
  accept(socket: SimSocket): void {
    this.edge.accept(socket.asSocket);
  }

  /** A connection inside a tunnel to the intercepted host, its TLS taken off already. */
  intercepted(socket: SimSocket): void {
    const raw = socket.asSocket;
    raw.on('error', () => undefined);
    const context: ConnectionContext = {
      settings: this.#settings,
      onExchange: (inbound) => this.handle(inbound),
      log: { warn: () => undefined },
      version: 'simulated',
      counts: this.counts,
      become: (role) => {
        this.#roles.add(role);
        raw.once('close', () => this.#roles.delete(role));
        if (this.isDraining) role.drain();
      },
    };
    const scope = { kind: 'intercept', host: INTERCEPTED_HOST, isNameRight: true } as const;
    const openTunnel = (): void => {
      socket.destroy();
    };
    new Http1Connection({ socket: raw, raw, scope, context, openTunnel }).start(Buffer.alloc(0));
  }

  readonly #roles = new Set<Role>();

  /** A request, from whatever door. */
  handle(inbound: Inbound): void {
    const world = this.#world;
    const id = Number(/ id\/(\d+)$/.exec(wireValue(inbound.head.fields, 'user-agent') ?? '')?.[1]);
    const story = world.stories.get(id);
    if (story === undefined) {
      world.violate('2 fidelity', `a request that nobody made: ${inbound.head.target}`);
      return;
    }
    story.handled += 1;
    story.tables.push(this.#table);
    if (story.handled > 1) world.violate('3 one end', `request ${id} was handled twice`);
    world.note('relay', `takes request ${id}`);
    this.#handling = story;
    this.relay.handle(this.#sabotage.inbound?.(inbound) ?? inbound);
    this.#handling = null;
  }

  /* ---- switches ---- */

  /** Throws one of the switches. */
  throwSwitch(): void {
    const { random } = this.#world;
    const what = random.pick(['pause', 'force', 'reload', 'network', 'clock'] as const);
    this.#world.note('switch', what);
    if (what === 'reload') this.reload();
    if (what === 'network') this.#network += 1;
    if (what === 'clock') this.#clockAheadMs += 3_600_000;
    const { paused, forcedLane } = this.#table;
    if (what === 'pause') this.#put({ ...this.#table, paused: !paused });
    if (what === 'force') {
      this.#put({ ...this.#table, forcedLane: forcedLane === null ? 'zai' : null });
    }
  }

  /** New lanes, as a changed configuration makes them; the key of one of them is another. */
  reload(): void {
    const old = [...this.#lanes.values()];
    this.#keySerial += 1;
    const { headMs, idleMs } = this.#world.knobs;
    const made = createLanes(configs(this.#keySerial), {
      http2: 'never',
      timeouts: { connectMs: 10_000, tlsMs: 10_000, headMs, idleMs },
      // Its beat of a second would be most of what happens in hours of virtual time.
      limits: { wakeBeatMs: BEAT_MS },
      surroundings: {
        now: () => this.#world.now,
        wall: () => WALL_START + this.#world.now + this.#clockAheadMs,
        network: () => `network ${this.#network}`,
      },
    });
    this.#lanes = new Map([...made].map(([name, lane]) => [name, this.#watched(lane)]));
    for (const lane of old) lane.close();
  }

  drain(): void {
    this.#world.note('switch', 'drain');
    this.isDraining = true;
    this.edge.drain();
    for (const role of this.#roles) role.drain();
  }

  /** Closes everything at once. */
  destroy(): void {
    this.#world.note('switch', 'destroy');
    this.isDraining = true;
    this.edge.destroy();
    for (const role of [...this.#roles]) role.abandon?.();
  }

  closeLanes(): void {
    for (const lane of this.#lanes.values()) lane.close();
  }

  #put(table: RoutingTable): void {
    this.#table = table;
    for (const story of this.#world.stories.values()) {
      if (story.handled > 0 && story.opened === 0) story.tables.push(table);
    }
  }

  /* ---- what is watched ---- */

  #default(): Lane {
    const lane = this.#lanes.get(DEFAULT_LANE);
    if (lane === undefined) throw new Error('there is a default lane');
    return lane;
  }

  #newId(): string {
    this.#rids += 1;
    const rid = `sim_${this.#rids}`;
    if (this.#handling !== null) this.#byRid.set(rid, this.#handling);
    return rid;
  }

  #watched(real: Lane): Lane {
    const lane = this.#sabotage.lane?.(real) ?? real;
    return {
      ...lane,
      name: lane.name,
      tag: lane.tag,
      kind: lane.kind,
      get headerMode() {
        return lane.headerMode;
      },
      open: (request, events) => lane.open(request, this.#heard(request, events)),
    };
  }

  /** Counts an attempt, and hears how it failed. */
  #heard(request: PreparedRequest, events: OutboundEvents): OutboundEvents {
    const id = Number(/ id\/(\d+)$/.exec(wireValue(request.fields, 'user-agent') ?? '')?.[1]);
    const story = this.#world.stories.get(id);
    if (story === undefined) return events;
    story.opened += 1;
    if (story.opened > 2) this.#world.violate('6 nothing twice', `request ${id}: a third attempt`);
    return {
      onInterim: (head) => events.onInterim(head),
      onHead: (head) => events.onHead(head),
      onBody: (wire, data) => events.onBody(wire, data),
      onEnd: (trailers) => events.onEnd(trailers),
      onDrain: () => events.onDrain(),
      onUpgrade: (head, stream) => events.onUpgrade(head, stream),
      onFail: (failure) => {
        story.failures.push(failure.code);
        this.#world.note('lane', `request ${id} fails: ${failure.code} in ${failure.phase}`);
        events.onFail(failure);
      },
    };
  }

  #ledger(): Ledger {
    const { observer } = this.#world.knobs;
    const fail = (): void => {
      if (observer === 'throws') throw new Error('the ledger is broken');
    };
    return {
      record: (record) => {
        const story = this.#byRid.get(record.rid);
        if (story === undefined)
          this.#world.violate('3 one end', `a record of nobody: ${record.rid}`);
        else this.#onRecord(story, record);
        fail();
      },
      anomaly: (anomaly) => {
        const story = this.#byRid.get(anomaly.rid ?? '');
        story?.anomalies.add(anomaly.kind);
        this.#world.note('ledger', `${anomaly.kind} ${anomaly.code}`);
        fail();
      },
    };
  }

  #tee(): BodyTee {
    const { random } = this.#world;
    const { observer } = this.#world.knobs;
    const isOn = random.chance(0.3);
    return {
      active: isOn,
      open: () => ({ request: new BodyBuffer(), answer: new BodyBuffer() }),
      write: () => {
        if (observer === 'throws') throw new Error('the tee is broken');
      },
    };
  }
}

/** One for the process: what is simulated has its TLS taken off already. */
const SECURE_CONTEXT = tls.createSecureContext({});

function configs(keySerial: number): Map<string, LaneConfig> {
  const lanes = new Map<string, LaneConfig>();
  for (const { name, isKeyed, host, port, basePath, dropUserId, dropAttribution } of LANES) {
    const isOther = name === 'other';
    const secret = Secret.of(canaryOf(name, isOther ? keySerial : 0));
    lanes.set(name, {
      name,
      tag: name,
      upstream: { scheme: 'http', host, port, basePath, ca: null },
      credentials: isKeyed
        ? { kind: 'key', secret, header: isOther ? 'authorization' : 'x-api-key' }
        : { kind: 'passthrough' },
      models: name === 'zai' ? [['*haiku*', MAPPED_MODEL]] : [],
      body: {
        userId: dropUserId ? 'drop' : 'keep',
        attribution: dropAttribution ? 'drop' : 'keep',
      },
    });
  }
  return lanes;
}

export type { Outbound };
