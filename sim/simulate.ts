/**
 * One seed, from its first connection until nothing is left to happen.
 */
import { canaryOf } from './canaries.ts';
import { ArrivalChecks } from './checks-arrival.ts';
import { EndChecks } from './checks-end.ts';
import { StateChecks } from './checks-state.ts';
import { Client, type Manner } from './client.ts';
import { createDecoder } from './decoder.ts';
import { standingOn } from './ground.ts';
import { drawKnobs, type Knobs, type Leaving } from './knobs.ts';
import { LANES, laneNamed } from './model.ts';
import { createLink, type NetworkOptions } from './network.ts';
import { PortClient } from './port-client.ts';
import { type Sabotage, SimProxy, WALL_START } from './proxy.ts';
import { Random } from './random.ts';
import { planRequest } from './requests.ts';
import { type SimSocket, systemError } from './socket.ts';
import { beginStory, type Story } from './story.ts';
import { Strangers } from './strangers.ts';
import { UpstreamConnection } from './upstream.ts';
import { type Violation, World } from './world.ts';

export interface SeedOptions {
  readonly isTracing?: boolean;
  readonly sabotage?: Sabotage;
  /** In place of what the seed draws. */
  readonly knobs?: Partial<Knobs>;
}

export interface SeedResult {
  readonly seed: number;
  readonly exchanges: number;
  readonly steps: number;
  /** Of all that happened, in its order. */
  readonly digest: number;
  readonly violation: Violation | null;
  readonly observer: Knobs['observer'];
  readonly stories: readonly Story[];
  readonly trace: readonly string[];
}

/** More steps than any run takes: one that goes on is one that hangs. */
const STEPS_MAX = 3_000_000;

/** Runs one seed to its end, or to its first violation. */
export function simulateSeed(seed: number, options: SeedOptions = {}): SeedResult {
  const random = new Random(seed);
  const knobs = { ...drawKnobs(random), ...options.knobs };
  const world = new World(seed, knobs, random, options.isTracing === true);
  const run = new Run(world, options.sabotage ?? {});
  const ground = {
    scheduler: world.scheduler,
    timers: world.timers,
    connect: (target: { host: string; port: number }) => run.dial(target).asSocket,
    createDecoder: () => createDecoder(world),
  };
  standingOn(ground, () => run.toTheEnd());
  return {
    seed,
    exchanges: run.exchanges,
    steps: world.scheduler.steps,
    digest: world.digest,
    violation: world.violation,
    observer: knobs.observer,
    stories: [...world.stories.values()],
    trace: world.trace,
  };
}

class Run {
  readonly #world: World;
  readonly #sabotage: Sabotage;
  readonly #arrivals: ArrivalChecks;
  readonly #ends: EndChecks;
  readonly #network: NetworkOptions;
  readonly #strangers: Strangers;
  #ids = 0;

  constructor(world: World, sabotage: Sabotage) {
    this.#world = world;
    this.#sabotage = sabotage;
    this.#arrivals = new ArrivalChecks(world, WALL_START);
    this.#ends = new EndChecks(world);
    const { latencyMs, bufferBytes } = world.knobs;
    this.#network = { scheduler: world.scheduler, random: world.random, latencyMs, bufferBytes };
    this.#strangers = new Strangers(world, this.#network);
  }

  get exchanges(): number {
    return this.#ends.exchanges;
  }

  toTheEnd(): void {
    const world = this.#world;
    const proxy = new SimProxy(world, this.#sabotage, (story, record) =>
      this.#ends.recorded(story, record),
    );
    this.#ends.watch(proxy);
    const state = new StateChecks(world, proxy);
    this.#populate(proxy);
    this.#strangers.populate(proxy);
    try {
      while (world.violation === null && world.step((socket) => state.look(socket))) {
        state.afterStep();
        if (isQuiet(world)) proxy.closeLanes();
        if (world.scheduler.steps > STEPS_MAX) world.violate('the program lives', 'it never ends');
      }
    } catch (error) {
      const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
      world.violate('the program lives', what);
    }
    if (world.violation !== null) return;
    this.#ends.atTheEnd();
    state.atTheEnd();
  }

  /** A connection of the program to an upstream, by `net.connect`. */
  dial({ host, port }: { readonly host: string; readonly port: number }): SimSocket {
    const world = this.#world;
    const { random, knobs } = world;
    const lane = LANES.find((candidate) => candidate.host === host && candidate.port === port);
    const socket = world.createSocket(true, () => undefined);
    socket.takesEdited = lane?.isKeyed === true;
    world.note('dial', `${host}:${port}`);
    const connect =
      lane === undefined
        ? this.#strangers.accepts(port)
        : (ready: SimSocket) => this.#connected(lane.name, ready);
    if (connect === null) {
      world.violate('7 closed by default', `the program dials ${host}:${port}`);
      return socket;
    }
    const fault = random.chance(knobs.dialFaults)
      ? random.pick(['ECONNREFUSED', 'EHOSTUNREACH', 'ENOTFOUND', 'ECONNRESET', 'silence'])
      : null;
    if (fault === 'silence') return socket;
    world.after(random.float() * 3 * knobs.latencyMs, () => {
      if (socket.destroyed) return;
      if (fault !== null) socket.destroy(systemError(fault, 'connect'));
      else connect(socket);
    });
    return socket;
  }

  #connected(lane: string, socket: SimSocket): void {
    const { there, back } = createLink(this.#network);
    const flows = { incoming: there, outgoing: back };
    new UpstreamConnection(this.#world, laneNamed(lane).name, this.#arrivals, socket, flows);
    socket.attach(back, there);
  }

  #populate(proxy: SimProxy): void {
    const world = this.#world;
    const { random, knobs } = world;
    for (let i = 0; i < knobs.connections; i += 1) {
      const at = 1 + random.float() * knobs.spanMs;
      const door = random.pick(['gateway', 'intercept', 'intercept', 'port'] as const);
      const stories = this.#stories(door, i);
      world.after(at, () => {
        if (proxy.isDraining) for (const story of stories) this.#ends.neverSent(story);
        else if (door === 'port') this.#atThePort(proxy, stories);
        else this.#connect(proxy, door, stories);
      });
    }
    for (let i = 0; i < knobs.switches; i += 1) {
      world.after(random.float() * knobs.spanMs * 1.2, () => proxy.throwSwitch());
    }
    const endsAt = random.float() * knobs.spanMs * 2;
    if (knobs.ending === 'drain') world.after(endsAt, () => proxy.drain());
    if (knobs.ending === 'destroy') world.after(endsAt, () => proxy.destroy());
  }

  #stories(door: Story['door'], client: number): Story[] {
    const { random, knobs, stories } = this.#world;
    const credential = random.chance(0.05) ? '' : canaryOf('client', client % 5);
    const count = door === 'port' ? 1 : random.between(1, knobs.requestsPerConnection);
    const made: Story[] = [];
    for (let i = 0; i < count; i += 1) {
      this.#ids += 1;
      const foreignKey = canaryOf('zai', 0);
      const isLast = i === count - 1;
      const sources = { random, knobs, door, credential, foreignKey, isLast };
      const story = beginStory(planRequest(this.#ids, sources), door);
      stories.set(this.#ids, story);
      this.#ends.began();
      made.push(story);
    }
    return made;
  }

  #connect(proxy: SimProxy, door: 'gateway' | 'intercept', stories: readonly Story[]): void {
    const world = this.#world;
    const { there, back } = createLink(this.#network);
    const socket = world.createSocket(false, () => client.socketClosed());
    const flows = { incoming: back, outgoing: there };
    const manner = drawManner(world, stories);
    const client = new Client(world, this.#ends, stories, manner, socket, flows);
    socket.attach(there, back);
    if (door === 'gateway') proxy.accept(socket);
    else proxy.intercepted(socket);
    client.start();
  }

  #atThePort(proxy: SimProxy, stories: readonly Story[]): void {
    for (const story of stories) new PortClient(this.#world, this.#ends, story).start(proxy);
  }
}

/** Nothing waits but what would not keep a process alive: beats, and sweeps of idle connections. */
function isQuiet({ scheduler, timers }: World): boolean {
  if (timers.size === 0 || scheduler.waiting !== timers.size) return false;
  for (const timer of timers) if (timer.isHolding) return false;
  return true;
}

function drawManner(world: World, stories: readonly Story[]): Manner {
  const { random, knobs } = world;
  const isFaulty = random.chance(knobs.clientFaults);
  return {
    isPipelining: random.chance(0.2),
    patienceMs: isFaulty && random.chance(0.5) ? drawPatience(random) : null,
    leaving:
      knobs.forced.leaving ?? (isFaulty && random.chance(0.7) ? drawLeaving(world, stories) : null),
    isSlow: random.chance(knobs.slowReaders),
  };
}

function drawPatience(random: Random): number {
  return random.chance(0.7) ? random.spread(1, 3_000) : random.spread(10, 2_000_000);
}

function drawLeaving({ random }: World, stories: readonly Story[]): Leaving {
  const how = random.pick(['fin', 'close', 'reset', 'reset', 'stall'] as const);
  let bytes = 0;
  for (const { plan } of stories) bytes += plan.wire.length;
  return random.chance(0.5)
    ? { behind: 'sent', bytes: random.between(0, bytes), how }
    : { behind: 'got', bytes: random.spread(1, 20_000), how };
}
