/**
 * A simulated client at the relay's own port, as one of HTTP/2 looks from there: no bytes of a head,
 * bodies without framing, a sink that fills and drains. Node's HTTP/2 can not be simulated; what lies
 * behind it can.
 */
import { crc32 } from 'node:zlib';
import type { Fields, RequestHead, ResponseHead } from '../src/core/message.ts';
import type { ByteStream, Delivery, Inbound, InboundEvents } from '../src/core/ports.ts';
import type { EndChecks } from './checks-end.ts';
import { sameFields, shown } from './model.ts';
import type { SimProxy } from './proxy.ts';
import type { Story } from './story.ts';
import { Matcher, wireValue } from './wire-reader.ts';
import type { World } from './world.ts';

const SINK_BYTES = 16 * 1024;

export class PortClient implements Inbound {
  readonly head: RequestHead;
  readonly via = { kind: 'intercept', host: 'api.anthropic.com' } as const;
  readonly protocol = 'h2';
  readonly #world: World;
  readonly #checks: EndChecks;
  readonly #story: Story;
  #events: InboundEvents | null = null;
  #isPaused = false;
  #sentBytes = 0;
  #hasEnded = false;
  #isClosed = false;
  #pending = 0;
  #overrun = 0;
  #isDraining = false;
  #bytes = 0;
  #crc = 0;
  readonly #leavesAt: number;

  constructor(world: World, checks: EndChecks, story: Story) {
    this.#world = world;
    this.#checks = checks;
    this.#story = story;
    const { plan } = story;
    const { random, knobs } = world;
    this.head = {
      method: plan.method,
      target: plan.target,
      version: '2',
      fields: plan.fields,
      framing:
        plan.framing === 'length'
          ? { kind: 'length', length: plan.payload.length }
          : { kind: plan.framing === 'none' ? 'none' : 'stream' },
      keepAlive: true,
      upgrade: null,
      expectContinue: false,
    };
    this.#leavesAt = random.chance(knobs.clientFaults)
      ? random.spread(1, 5_000)
      : Number.POSITIVE_INFINITY;
  }

  start(proxy: SimProxy): void {
    const { random } = this.#world;
    this.#story.startedAt = this.#world.now;
    proxy.handle(this);
    if (this.#leavesAt < Number.POSITIVE_INFINITY && random.chance(0.5)) {
      this.#world.after(random.spread(1, 1_000_000), () => this.#leave());
    }
    this.#world.after(random.float(), () => this.#send());
  }

  /* ---- its request ---- */

  #send(): void {
    const { payload } = this.#story.plan;
    if (this.#isPaused || this.#isClosed || this.#hasEnded) return;
    const left = payload.length - this.#sentBytes;
    if (left === 0) {
      this.#hasEnded = true;
      this.#events?.onEnd([]);
      return;
    }
    const { random, knobs } = this.#world;
    const size = Math.min(left, random.spread(1, Math.max(knobs.readBytesMax, 1024)));
    const piece = payload.subarray(this.#sentBytes, this.#sentBytes + size);
    this.#sentBytes += size;
    this.#events?.onBody(piece, null);
    if (this.#sentBytes > this.#leavesAt) this.#leave();
    else this.#world.after(random.float() * knobs.latencyMs, () => this.#send());
  }

  #leave(): void {
    if (this.#isClosed) return;
    this.#world.note('client', `request ${this.#story.plan.id} leaves`);
    this.#ended('left');
    this.#close('gone');
  }

  /* ---- what the relay asks ---- */

  read(events: InboundEvents): void {
    this.#events = events;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#world.after(0, () => this.#send());
  }

  interim(): boolean {
    this.#story.got.interims += 1;
    return true;
  }

  respond(head: ResponseHead): void {
    if (this.#isClosed) return;
    const { got, plan } = this.#story;
    const fault = (what: string): void =>
      this.#world.violate('2 fidelity', `request ${plan.id} at the port: ${what}`);
    if (got.head !== null) fault('a second head');
    got.head = { start: `HTTP/${head.version} ${head.status}`, fields: head.fields };
    got.status = head.status;
    got.local = wireValue(head.fields, 'x-lanekeeper-error') ?? null;
    if (got.local !== null || got.status === 408) return;
    const script = this.#story.arrivals.at(-1)?.script;
    if (script === null || script === undefined) {
      fault(`an answer ${head.status} that no upstream gave`);
      return;
    }
    if (head.status !== script.status || head.reason !== script.reason) fault('another status');
    if (!sameFields(head.fields, script.fields)) {
      fault(`fields ${shown(head.fields)} in place of ${shown(script.fields)}`);
    }
    got.payload = new Matcher(script.payload);
  }

  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    const { got, plan } = this.#story;
    if (this.#isClosed) return true;
    for (const piece of data ?? [wire]) {
      got.payloadBytes += piece.length;
      this.#bytes += piece.length;
      this.#crc = crc32(piece, this.#crc);
      if (got.payload !== null && !got.payload.feed(piece)) {
        const what = `the answer to ${plan.id} differs near byte ${got.payload.matched}`;
        this.#world.violate('2 fidelity', what);
      }
      // What was written after the sink said that it is full.
      if (this.#isDraining) this.#overrun += piece.length;
      this.#pending += piece.length;
    }
    this.#bound();
    if (this.#pending < SINK_BYTES && !this.#isDraining) return true;
    this.#drainLater();
    return false;
  }

  end(_trailers: Fields): void {
    if (this.#isClosed) return;
    const ms = this.#world.random.float() * this.#world.knobs.latencyMs;
    this.#world.after(ms, () => {
      this.#ended('clean');
      this.#close('complete');
    });
  }

  cut(): void {
    if (this.#isClosed) return;
    this.#world.after(0, () => {
      this.#ended('cut');
      this.#close('cut');
    });
  }

  upgrade(): ByteStream {
    throw new Error('HTTP/2 has no upgrade');
  }

  /** What was read, or read ahead, when the sink filled may still come, and no more than that. */
  #bound(): void {
    const { highWaterMark, readBytesMax } = this.#world.knobs;
    if (this.#overrun <= 2 * (highWaterMark + readBytesMax)) return;
    this.#world.violate('5 backpressure', `${this.#overrun} bytes into a sink that is full`);
  }

  #drainLater(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { random, knobs } = this.#world;
    const ms = random.chance(knobs.slowReaders) ? random.spread(1, 60_000) : random.float();
    this.#world.after(ms, () => {
      this.#isDraining = false;
      this.#pending = 0;
      this.#overrun = 0;
      if (!this.#isClosed) this.#events?.onDrain();
    });
  }

  #ended(end: 'clean' | 'cut' | 'left'): void {
    const { got } = this.#story;
    if (got.end !== 'open') return;
    got.end = end;
    this.#checks.clientEnded(this.#story);
  }

  #close(how: Delivery['how']): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events?.onClose({ how, bytes: this.#bytes, crc: this.#crc });
    this.#checks.connectionClosed(this.#story);
  }
}
