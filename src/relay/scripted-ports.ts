/**
 * Stand-ins for both ports of the relay, driven by hand: tests say what the client and each upstream
 * attempt do, step by step, on a clock of their own. No sockets, no timers.
 */
import { crc32 } from 'node:zlib';
import type { Field, RequestHead, ResponseHead } from '../core/message.ts';
import type {
  ByteStream,
  ByteStreamEvents,
  Clock,
  Delivery,
  Inbound,
  InboundEvents,
  Outbound,
  OutboundEvents,
  UpstreamFailure,
} from '../core/ports.ts';
import type { RoutingTable } from '../core/route.ts';
import {
  type HeaderMode,
  IsolationError,
  type Lane,
  type LaneRequest,
  UneditableError,
} from '../lanes/lane.ts';
import type { AnomalyRecord, UsageRecord } from '../ledger/record.ts';
import { createHoldBudget, type HoldBudget } from './held-body.ts';
import { createRelay, type Relay } from './relay.ts';

/** A clock that moves only when told to. */
export interface HandClock extends Clock {
  advance(ms: number): void;
  readonly waiting: number;
}

export function handClock(): HandClock {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  return {
    now: () => now,
    wall: () => 1_700_000_000_000 + now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(ms) {
      now += ms;
      for (const timer of timers.filter(({ at }) => at <= now)) {
        timers = timers.filter((other) => other !== timer);
        timer.run();
      }
    },
    get waiting() {
      return timers.length;
    },
  };
}

/** A client whose every move is the test's. */
export class ScriptedClient implements Inbound {
  readonly head: RequestHead;
  readonly via = { kind: 'gateway' } as const;
  readonly protocol = 'h1';
  readonly heard: string[] = [];
  answer: ResponseHead | null = null;
  body = Buffer.alloc(0);
  paused = false;
  /** The sink is full: writes return false until `drain`. */
  full = false;
  #events: InboundEvents | null = null;
  #closed = false;

  constructor(method: string, target: string, fields: Field[], bodyLength: number | null) {
    this.head = {
      method,
      target,
      version: '1.1',
      fields: [['Host', '127.0.0.1'], ...fields],
      framing: bodyLength === null ? { kind: 'none' } : { kind: 'length', length: bodyLength },
      keepAlive: true,
      upgrade: null,
      expectContinue: false,
    };
  }

  get events(): InboundEvents {
    if (this.#events === null) throw new Error('the relay has not begun to read');
    return this.#events;
  }

  read(events: InboundEvents): void {
    this.#events = events;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  interim(head: ResponseHead): boolean {
    this.heard.push(`interim ${head.status}`);
    return !this.full;
  }
  respond(head: ResponseHead): void {
    this.heard.push(`head ${head.status}`);
    this.answer = head;
  }
  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    this.body = Buffer.concat([this.body, ...(data ?? [wire])]);
    return !this.full;
  }
  end(): void {
    this.heard.push('end');
    this.close('complete');
  }
  cut(): void {
    this.heard.push('cut');
    this.close('cut');
  }
  upgrade(): ByteStream {
    throw new Error('not scripted');
  }
  /** The client's side closes, as the edge would tell. */
  close(how: Delivery['how'], bytes = this.body.length): void {
    if (this.#closed) return;
    this.#closed = true;
    this.events.onClose({ how, bytes, crc: crc32(this.body) });
  }
  /** Sends the whole body at once. */
  send(body: string): void {
    this.events.onBody(Buffer.from(body), null);
    this.events.onEnd([]);
  }
}

/** One attempt at an upstream, as the relay opened it. */
export class ScriptedAttempt implements Outbound {
  readonly lane: string;
  readonly mode: HeaderMode | null;
  readonly events: OutboundEvents;
  protocol: 'h1' | 'h2' | null = 'h1';
  sent = Buffer.alloc(0);
  /** Of the pieces written. */
  readonly sizes: number[] = [];
  /** A piece came in the client's own chunks. */
  framed = false;
  ended = false;
  aborted = false;
  paused = false;
  full = false;

  constructor(lane: string, mode: HeaderMode | null, events: OutboundEvents) {
    this.lane = lane;
    this.mode = mode;
    this.events = events;
  }
  write(wire: Buffer, data: readonly Buffer[] | null): boolean {
    this.sent = Buffer.concat([this.sent, ...(data ?? [wire])]);
    this.sizes.push(wire.length);
    this.framed ||= data !== null;
    return !this.full;
  }
  end(): void {
    this.ended = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  abort(): void {
    this.aborted = true;
  }
  head(status: number, fields: Field[] = [['content-type', 'application/json']]): void {
    const framing = { kind: 'chunked' } as const;
    this.events.onHead({ status, reason: '', version: '1.1', fields, framing, keepAlive: true });
  }
  body(text: string | Buffer): void {
    this.events.onBody(Buffer.from(text), null);
  }
  done(): void {
    this.events.onEnd([]);
  }
  fail(failure: Partial<UpstreamFailure> & Pick<UpstreamFailure, 'code' | 'phase'>): void {
    const facts = { detail: 'scripted', raced: false, sent: true, answered: false };
    this.events.onFail({ ...facts, ...failure });
  }
}

/** What goes wrong when a request is prepared: everywhere, or on the keyed lane. */
export type PrepareFault = 'head' | 'body' | 'uneditable' | null;

export interface Scene {
  readonly relay: Relay;
  readonly clock: HandClock;
  readonly attempts: ScriptedAttempt[];
  readonly records: UsageRecord[];
  readonly anomalies: AnomalyRecord[];
  readonly table: { -readonly [K in keyof RoutingTable]: RoutingTable[K] };
  readonly options: { backoff: boolean; fault: PrepareFault };
  readonly budget: HoldBudget;
  readonly keptModes: HeaderMode[];
  /** Sees each attempt before anything is written to it. */
  onOpen: (attempt: ScriptedAttempt) => void;
  /** The one attempt that is under way. */
  attempt(): ScriptedAttempt;
  open(client: ScriptedClient): void;
}

/** A relay between scripted ports, with the lanes `anthropic` (default) and `zai` (keyed). */
export function createScene(holdLimit?: number): Scene {
  const clock = handClock();
  const attempts: ScriptedAttempt[] = [];
  const records: UsageRecord[] = [];
  const anomalies: AnomalyRecord[] = [];
  const keptModes: HeaderMode[] = [];
  const options: Scene['options'] = { backoff: false, fault: null };
  const table: Scene['table'] = {
    routes: [{ decision: 'rule:haiku', when: { model: '*haiku*' }, lane: 'zai' }],
    defaultLane: 'anthropic',
    forcedLane: null,
    paused: false,
  };
  const lane = (name: string, kind: Lane['kind']): Lane => ({
    name,
    tag: name === 'anthropic' ? 'anth' : name,
    kind,
    headerMode: kind === 'keyed' ? 'x-api-key' : null,
    keepHeaderMode: (mode) => void keptModes.push(mode),
    prepare(request: LaneRequest, mode) {
      if (options.fault === 'head') throw new IsolationError(name, 'a scripted credential');
      if (options.fault === 'body' && kind === 'keyed') {
        throw new IsolationError(name, 'a scripted credential', 'body');
      }
      if (options.fault === 'uneditable' && kind === 'keyed') {
        throw new UneditableError(name, 'scripted');
      }
      return {
        method: request.head.method,
        target: request.head.target,
        fields: request.head.fields,
        framing: request.head.framing,
        body: request.body,
        protocol: 'h1',
        identity: name,
        upgrade: null,
        modelSent: kind === 'keyed' ? 'glm-4.5-air' : request.model,
        headerMode: kind === 'keyed' ? (mode ?? 'x-api-key') : null,
      };
    },
    open(request, events) {
      const attempt = new ScriptedAttempt(name, request.headerMode, events);
      attempts.push(attempt);
      scene.onOpen(attempt);
      return attempt;
    },
    close() {},
    stats: () => ({ idle: 0, busy: 0 }),
  });
  const lanes = new Map([
    ['anthropic', lane('anthropic', 'passthrough')],
    ['zai', lane('zai', 'keyed')],
  ]);
  const budget = createHoldBudget(holdLimit);
  let ids = 0;
  const relay = createRelay({
    routing: () => table,
    lane(name) {
      const found = lanes.get(name);
      if (found === undefined) throw new Error(`no lane ${name}`);
      return found;
    },
    ledger: {
      record: (record) => void records.push(record),
      anomaly: (record) => void anomalies.push(record),
    },
    clock,
    random: () => 0.5,
    backoff: () => options.backoff,
    holdBudget: budget,
    tee: {
      active: false,
      open() {
        throw new Error('the tee is off');
      },
      write() {},
    },
    newId: () => {
      ids += 1;
      return `x${ids}`;
    },
  });
  const scene: Scene = {
    onOpen() {},
    relay,
    clock,
    attempts,
    records,
    anomalies,
    table,
    options,
    budget,
    keptModes,
    attempt() {
      const last = attempts.at(-1);
      if (last === undefined) throw new Error('no attempt was made');
      return last;
    },
    open: (client) => relay.handle(client),
  };
  return scene;
}

/** A stream of bytes that a test plays. */
export function scriptedStream(): ByteStream & { events(): ByteStreamEvents; heard: string[] } {
  let held: ByteStreamEvents | null = null;
  const heard: string[] = [];
  return {
    heard,
    events() {
      if (held === null) throw new Error('nobody reads');
      return held;
    },
    write(bytes) {
      heard.push(`write ${bytes.toString()}`);
      return true;
    },
    end: () => void heard.push('end'),
    destroy: () => void heard.push('destroy'),
    pause: () => void heard.push('pause'),
    resume: () => void heard.push('resume'),
    read(events) {
      held = events;
    },
  };
}
