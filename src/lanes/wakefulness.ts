/**
 * Whether the machine slept, the process was stopped, or the network became another one: what rested
 * meanwhile may be dead without a word, and a request on it would wait for minutes.
 *
 * A sleep shows in a beat that comes much too late (SIGSTOP, and sleep where the monotonic clock goes
 * on), or in the wall clock running away from the monotonic one (sleep where that stands still; a
 * clock that was set looks the same, and costs a handshake). The network shows in the addresses of
 * the machine, which are read only before something that rested is used.
 */
import { networkInterfaces } from 'node:os';
import { WAKE_NETWORK_MS } from '../core/limits.ts';

/** What is looked at. */
export interface Surroundings {
  /** Monotonic ms. */
  now(): number;
  /** Unix ms. */
  wall(): number;
  /** Differs where the machine has other addresses; null where that can not be told. */
  network(): string | null;
}

export interface WakeLimits {
  /** Time between two beats, ms. */
  readonly wakeBeatMs: number;
  /** What a beat may be late before it counts as a sleep, ms. */
  readonly wakeLateMs: number;
  /** What the clocks may part between two beats, ms. */
  readonly wakeDriftMs: number;
}

export const MACHINE: Surroundings = {
  now: () => performance.now(),
  wall: () => Date.now(),
  network: addresses,
};

export class Wakefulness {
  readonly #limits: WakeLimits;
  readonly #around: Surroundings;
  #beat: NodeJS.Timeout | null = null;
  #seenAt = 0;
  #seenWall = 0;
  #wokeAt = Number.NEGATIVE_INFINITY;
  #network: string | null = null;
  #networkAt = Number.NEGATIVE_INFINITY;
  #onChange: () => void = () => {};

  constructor(limits: WakeLimits, around: Surroundings = MACHINE) {
    this.#limits = limits;
    this.#around = around;
  }

  /** Begins to watch; told of every sleep and every other network, from within a look or a beat. */
  start(onChange: () => void): void {
    this.#onChange = onChange;
    this.#seen();
    this.#lookForNetwork();
    this.#beat ??= setInterval(look, this.#limits.wakeBeatMs, this).unref();
  }

  stop(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
    this.#beat = null;
  }

  /** Looks at the clocks: before a connection is used, since the late beat may not have come yet. */
  look(): void {
    if (this.#beat === null) return;
    const passed = this.#around.now() - this.#seenAt;
    const wallPassed = this.#around.wall() - this.#seenWall;
    const { wakeBeatMs, wakeLateMs, wakeDriftMs } = this.#limits;
    this.#seen();
    const isInTime = passed <= wakeBeatMs + wakeLateMs;
    if (isInTime && Math.abs(wallPassed - passed) <= wakeDriftMs) return;
    this.#wokeAt = this.#seenAt;
    this.#onChange();
  }

  /** Looks at the network too, not more often than is worth it. */
  lookAround(): void {
    if (this.#beat === null || this.#around.now() - this.#networkAt < WAKE_NETWORK_MS) return;
    const before = this.#network;
    this.#lookForNetwork();
    if (before !== null && this.#network !== before) this.#onChange();
  }

  /** A timer that fires now may owe it to a sleep: what it waited for may be here, and not read yet. */
  justWoke(): boolean {
    this.look();
    return this.#around.now() - this.#wokeAt <= this.#limits.wakeDriftMs;
  }

  #seen(): void {
    this.#seenAt = this.#around.now();
    this.#seenWall = this.#around.wall();
  }

  #lookForNetwork(): void {
    this.#networkAt = this.#around.now();
    this.#network = this.#around.network() ?? this.#network;
  }
}

function look(wakefulness: Wakefulness): void {
  wakefulness.look();
}

/** The machine's addresses, without those that come and go with containers and say nothing of routes. */
function addresses(): string | null {
  try {
    const found: string[] = [];
    for (const [name, of] of Object.entries(networkInterfaces())) {
      for (const { address, internal } of of ?? []) {
        if (!internal && !isLinkLocal(address)) found.push(`${name} ${address}`);
      }
    }
    return found.sort().join('\n');
  } catch {
    // Out of descriptors, or not allowed to know.
    return null;
  }
}

/** RFC 3927, and RFC 4291 section 2.5.6. */
function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
}
