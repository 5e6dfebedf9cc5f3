/**
 * Simulated clients of HTTP/1: each sends its requests over one connection, one after the other or all
 * at once, reads as fast or as slowly as it likes, and leaves when its chance has it: by FIN, close or
 * RST, behind any byte that it sent or got.
 */
import type { EndChecks } from './checks-end.ts';
import { Endpoint } from './endpoint.ts';
import type { Leaving } from './knobs.ts';
import type { Flow } from './network.ts';
import type { SimSocket } from './socket.ts';
import { type Story, spokenBy } from './story.ts';
import { Matcher, type WireHead, WireReader, wireValue } from './wire-reader.ts';
import type { World } from './world.ts';

export interface Manner {
  readonly isPipelining: boolean;
  /** How long it waits for the end of an answer; null for ever. */
  readonly patienceMs: number | null;
  readonly leaving: Leaving | null;
  readonly isSlow: boolean;
}

const CONTINUE_WAIT_MS = 1_000;
/** A client that closed is found out by two probes, a quarter of a second apart, and their way. */
const NOTICE_MS = 2_000;

export class Client {
  readonly socket: SimSocket;
  readonly #world: World;
  readonly #checks: EndChecks;
  readonly #stories: readonly Story[];
  readonly #manner: Manner;
  readonly #endpoint: Endpoint;
  readonly #reader: WireReader;
  /** The next to be sent, and the next to be answered. */
  #sent = 0;
  #answered = 0;
  #sentBytes = 0;
  #gotBytes = 0;
  /** Body that waits for 100 Continue, and whose it is. */
  #held: Buffer | null = null;
  #heldFor = 0;
  #isSending = false;
  #hasLeft = false;
  #isOver = false;

  constructor(
    world: World,
    checks: EndChecks,
    stories: readonly Story[],
    manner: Manner,
    socket: SimSocket,
    flows: { readonly incoming: Flow; readonly outgoing: Flow },
  ) {
    this.socket = socket;
    this.#world = world;
    this.#checks = checks;
    this.#stories = stories;
    this.#manner = manner;
    this.#reader = new WireReader('answer', {
      onHead: (head) => this.#onHead(head),
      onPayload: (bytes) => this.#onPayload(bytes),
      onDone: () => this.#onDone(),
      onBad: (why) =>
        world.violate('2 fidelity', `${this.#name()} was sent what is no HTTP: ${why}`),
    });
    this.#reader.state = 'done';
    this.#endpoint = new Endpoint(world.scheduler, flows.incoming, flows.outgoing, {
      onBytes: (bytes) => this.#onBytes(bytes),
      onFin: () => this.#onFin(),
      onReset: () => this.#lost('reset'),
    });
  }

  start(): void {
    this.#sendNext();
    this.#expectNext();
  }

  /** The program has closed its end, by whatever it took for the end. */
  socketClosed(): void {
    for (const story of this.#stories) this.#checks.connectionClosed(story);
  }

  #name(): string {
    return `client of request ${this.#stories[this.#answered]?.plan.id ?? 'none'}`;
  }

  /* ---- sending ---- */

  #sendNext(): void {
    const story = this.#stories[this.#sent];
    if (story === undefined || this.#isOver) return;
    this.#sent += 1;
    const { plan } = story;
    story.startedAt = this.#world.now;
    story.isPipelined = this.#manner.isPipelining;
    const shape = `${plan.method} ${plan.target}, ${plan.framing}, model ${plan.model}`;
    this.#world.note('client', `sends request ${plan.id}: ${shape}`, plan.wire.length);
    if (plan.expectsContinue && plan.flaw === 'none') {
      this.#held = plan.wire.subarray(plan.headBytes);
      this.#heldFor = this.#sent;
      this.#send(plan.wire.subarray(0, plan.headBytes));
      this.#world.after(CONTINUE_WAIT_MS, () => this.#sendHeld());
    } else {
      this.#sendOut(plan.wire);
    }
    if (plan.flaw === 'short') this.#fin();
    const { patienceMs } = this.#manner;
    if (patienceMs !== null) {
      this.#world.after(patienceMs, () => {
        if (story.got.end === 'open') this.#leave(this.#world.random.pick(['close', 'reset']));
      });
    }
    const goesOn = plan.flaw === 'none' && !plan.isUpgrade && !plan.expectsContinue;
    if (this.#manner.isPipelining && goesOn) this.#sendSoon();
  }

  /** All at once, or with a pause within. */
  #sendOut(wire: Buffer): void {
    const { random } = this.#world;
    const isSlow = this.#manner.isSlow && !this.#manner.isPipelining && random.chance(0.5);
    if (!isSlow) {
      this.#send(wire);
      return;
    }
    const at = random.between(0, wire.length);
    this.#send(wire.subarray(0, at));
    this.#world.after(random.spread(1, 3_000), () => {
      if (!this.#isOver) this.#send(wire.subarray(at));
    });
  }

  #sendSoon(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#world.after(this.#pause(), () => {
      this.#isSending = false;
      this.#sendNext();
    });
  }

  #pause(): number {
    const { random } = this.#world;
    if (random.chance(0.6)) return 0;
    return random.chance(0.2) ? random.spread(800, 120_000) : random.spread(1, 500);
  }

  #sendHeld(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#send(held);
  }

  #send(bytes: Buffer): void {
    const { leaving } = this.#manner;
    const before = this.#sentBytes;
    this.#sentBytes += bytes.length;
    if (this.#hasLeft) return;
    if (leaving?.behind !== 'sent' || this.#sentBytes < leaving.bytes || before > leaving.bytes) {
      this.#endpoint.send(bytes);
      return;
    }
    this.#endpoint.send(bytes.subarray(0, leaving.bytes - before));
    if (leaving.how === 'fin') this.#fin();
    else this.#world.after(this.#world.random.float() * 10, () => this.#leave(leaving.how));
    this.#hasLeft = true;
  }

  /* ---- reading ---- */

  #expectNext(): void {
    const story = this.#stories[this.#answered];
    if (story !== undefined) this.#reader.next(story.plan.method);
  }

  #onBytes(bytes: Buffer): void {
    const { leaving, isSlow } = this.#manner;
    this.#gotBytes += bytes.length;
    this.#world.note(this.#name(), 'gets bytes', bytes.length);
    if (this.#answered >= this.#stories.length || this.#answered >= this.#sent) {
      if (!this.#isOver) this.#checks.unasked(this.#stories, bytes);
      return;
    }
    this.#reader.feed(bytes);
    if (leaving?.behind === 'got' && this.#gotBytes >= leaving.bytes && !this.#hasLeft) {
      this.#leave(leaving.how);
    }
    if (isSlow) this.#dawdle();
  }

  #dawdle(): void {
    const { random } = this.#world;
    this.#endpoint.stopReading();
    const bytes = random.spread(1, 100_000);
    this.#world.after(random.spread(1, random.chance(0.02) ? 60_000 : 300), () =>
      this.#endpoint.startReading(bytes),
    );
  }

  #onHead(head: WireHead): void {
    const story = this.#stories[this.#answered];
    if (story === undefined) return;
    const status = Number(head.start.slice(9, 12));
    const { got } = story;
    if (status < 200 && status !== 101) {
      got.interims += 1;
      if (status === 100 && this.#heldFor === this.#answered + 1) this.#sendHeld();
      return;
    }
    got.head = head;
    got.status = status;
    got.local = wireValue(head.fields, 'x-lanekeeper-error') ?? null;
    this.#world.note(this.#name(), `gets head ${status} ${got.local ?? ''}`);
    this.#checks.answered(story);
    const script = story.arrivals.at(-1)?.script;
    if (got.local === null && status !== 408 && script !== null && script !== undefined) {
      got.payload = new Matcher(script.payload);
    }
    if (status === 101) this.#world.after(this.#pause(), () => this.#speak(story));
  }

  /** Over an upgraded connection: a few bytes, then the end of its side. */
  #speak(story: Story): void {
    this.#endpoint.send(Buffer.from(spokenBy(story.plan.id)));
    if (this.#world.random.chance(0.5)) this.#endpoint.fin();
  }

  #onPayload(bytes: Buffer): void {
    const story = this.#stories[this.#answered];
    if (story === undefined) return;
    const { got } = story;
    got.payloadBytes += bytes.length;
    if (got.payload === null || got.payload.feed(bytes)) return;
    const what = `the answer to ${story.plan.id} differs near byte ${got.payload.matched}`;
    this.#world.violate('2 fidelity', what);
  }

  #onDone(): void {
    const story = this.#stories[this.#answered];
    if (story === undefined) return;
    this.#ended(story, 'clean');
    this.#answered += 1;
    const closes = /\bclose\b/i.test(wireValue(story.got.head?.fields ?? [], 'connection') ?? '');
    // A body that nobody asked for can not be sent any more, nor another request behind it.
    const isUnsent = this.#held !== null && this.#heldFor === this.#answered;
    if (closes || isUnsent || this.#answered >= this.#stories.length) {
      this.#finish();
      return;
    }
    this.#expectNext();
    if (this.#sent === this.#answered) this.#sendSoon();
  }

  #finish(): void {
    this.#isOver = true;
    this.#abandon('cut');
    const delay = this.#world.random.pick([0, 0, 10, 2_000]);
    this.#world.after(delay, () => this.#endpoint.close());
  }

  #onFin(): void {
    const story = this.#stories[this.#answered];
    if (!this.#isOver && story !== undefined && this.#answered < this.#sent) {
      const isClean = story.got.head !== null && this.#reader.finish();
      this.#ended(story, isClean ? 'clean' : 'cut');
    }
    this.#isOver = true;
    this.#abandon('cut');
    this.#endpoint.close();
  }

  #lost(end: 'reset'): void {
    this.#isOver = true;
    this.#abandon(end);
  }

  /* ---- leaving ---- */

  #leave(how: Leaving['how']): void {
    if (this.#isOver) return;
    this.#hasLeft = true;
    this.#world.note(this.#name(), `leaves by ${how}`);
    if (how === 'fin') {
      this.#fin();
      return;
    }
    this.#isOver = true;
    this.#abandon('left');
    if (how === 'reset') this.#endpoint.reset();
    else if (how === 'close') this.#close();
    else this.#stall();
  }

  /** Half-closes: from here on it depends on the moment whether it is taken for one that left. */
  #fin(): void {
    this.#endpoint.fin();
    for (const story of this.#stories) story.hasFin = true;
  }

  /** Closes; where the proxy reads on, it must have noticed within its bounds. */
  #close(): void {
    const story = this.#stories[this.#answered];
    const { isPipelining } = this.#manner;
    const hasSent = story !== undefined && this.#sentBytes >= this.#wholeBytes() && !isPipelining;
    const isOwed = hasSent && this.#endpoint.unsentBytes === 0 && story.plan.version === '1.1';
    this.#endpoint.close();
    if (isOwed) this.#world.after(NOTICE_MS, () => this.#checks.mustBeOver(story));
  }

  /** Of the requests that it has begun to send. */
  #wholeBytes(): number {
    let bytes = 0;
    for (const { plan } of this.#stories.slice(0, this.#sent)) bytes += plan.wire.length;
    return bytes;
  }

  /** Reads no more, and goes at last. */
  #stall(): void {
    this.#endpoint.stopReading();
    const { random } = this.#world;
    this.#world.after(random.spread(1_000, 5_000_000), () => this.#endpoint.reset());
  }

  #abandon(end: 'cut' | 'reset' | 'left'): void {
    for (let i = 0; i < this.#sent; i += 1) this.#ended(this.#stories[i] as Story, end);
    for (let i = this.#sent; i < this.#stories.length; i += 1) {
      this.#checks.neverSent(this.#stories[i] as Story);
    }
  }

  #ended(story: Story, end: Story['got']['end']): void {
    if (story.got.end !== 'open') return;
    const leftEarlier = this.#hasLeft && end !== 'clean';
    story.got.end = leftEarlier ? 'left' : end;
    this.#world.note('client', `request ${story.plan.id} ends for it: ${story.got.end}`);
    this.#checks.clientEnded(story);
  }
}
