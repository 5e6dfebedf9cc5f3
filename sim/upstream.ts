/**
 * Simulated upstreams: each reads requests off its connections with the judge's own reader, searches
 * every byte for credentials, answers by a script, and breaks off, stalls, resets or closes as its
 * chance has it.
 */
import { type AnswerScript, drawAnswer } from './answers.ts';
import { CanarySearch } from './canaries.ts';
import type { ArrivalChecks } from './checks-arrival.ts';
import { Endpoint } from './endpoint.ts';
import type { Forced } from './knobs.ts';
import type { Flow } from './network.ts';
import type { SimSocket } from './socket.ts';
import { type Arrival, type Story, spokenBy } from './story.ts';
import { type WireHead, WireReader, wireValue } from './wire-reader.ts';
import type { World } from './world.ts';

export class UpstreamConnection {
  readonly lane: string;
  readonly socket: SimSocket;
  readonly #world: World;
  readonly #checks: ArrivalChecks;
  readonly #endpoint: Endpoint;
  readonly #search: CanarySearch;
  readonly #reader: WireReader;
  /** It ends while a request comes, or before. */
  readonly #trap: NonNullable<Forced['trap']> | null;
  /** It reads no more: it was cut off in a request. */
  #hasSprung = false;
  /** Its last answer was to be the last. */
  #isClosing = false;
  #received = 0;
  #served = 0;
  #restingSince = 0;
  #credentials: string | null = null;
  #arrival: Arrival | null = null;
  #story: Story | null = null;
  #turn = 0;
  #upgraded = '';

  constructor(
    world: World,
    lane: string,
    checks: ArrivalChecks,
    socket: SimSocket,
    flows: { readonly incoming: Flow; readonly outgoing: Flow },
  ) {
    this.lane = lane;
    this.socket = socket;
    this.#world = world;
    this.#checks = checks;
    this.#search = new CanarySearch((canary) => checks.canary(this.lane, canary));
    this.#reader = new WireReader('request', {
      onHead: (head) => this.#onHead(head),
      onPayload: (bytes) => this.#onPayload(bytes),
      onDone: () => this.#onDone(),
      onBad: (why) => world.violate('2 fidelity', `${lane} was sent what is no HTTP: ${why}`),
    });
    this.#endpoint = new Endpoint(world.scheduler, flows.incoming, flows.outgoing, {
      onBytes: (bytes) => this.#onBytes(bytes),
      onFin: () => this.#onFin(),
      onReset: () => this.#ended('lost', 'reset by the proxy'),
    });
    const { random, knobs } = world;
    const drawn: Forced['trap'] | null = random.chance(knobs.upstreamFaults / 6)
      ? { atByte: random.spread(1, 1_500) - 1, how: random.pick(['fin', 'reset', 'stall']) }
      : null;
    this.#trap = knobs.forced.trap ?? drawn;
    if (random.chance(knobs.slowReaders / 4)) this.#drainSlowly();
    if (this.#trap?.atByte === 0) world.after(random.float() * 5, () => this.#spring());
  }

  #name(): string {
    return `${this.lane}${this.#story === null ? '' : ` (request ${this.#story.plan.id})`}`;
  }

  /* ---- reading ---- */

  #onBytes(bytes: Buffer): void {
    const { random, knobs } = this.#world;
    this.#search.feed(bytes);
    if (this.#hasSprung) return;
    if (this.#arrival?.script?.isUpgrade === true && this.#reader.state === 'done') {
      this.#onUpgraded(bytes);
      return;
    }
    const before = this.#received;
    this.#received += bytes.length;
    const trap = this.#trap;
    if (trap !== null && this.#received > trap.atByte && before <= trap.atByte) {
      this.#reader.feed(bytes.subarray(0, trap.atByte - before));
      this.#spring();
      return;
    }
    this.#reader.feed(bytes);
    if (random.chance(knobs.upstreamFaults / 20)) this.#drainSlowly();
  }

  #onUpgraded(bytes: Buffer): void {
    this.#world.note(this.#name(), 'upgraded bytes', bytes.length);
    this.#upgraded += bytes.toString('latin1');
    if (spokenBy(this.#story?.plan.id ?? 0).startsWith(this.#upgraded)) return;
    this.#world.violate('2 fidelity', `${this.#name()} got other bytes behind the upgrade`);
  }

  #drainSlowly(): void {
    this.#endpoint.stopReading();
    this.#world.after(this.#world.random.spread(1, 20_000), () => this.#endpoint.startReading());
  }

  #spring(): void {
    this.#hasSprung = true;
    const how = this.#trap?.how ?? 'reset';
    if (how === 'stall') this.#endpoint.stopReading();
    else this.#close(how);
  }

  #onHead(head: WireHead): void {
    const world = this.#world;
    const id = Number(/ id\/(\d+)$/.exec(wireValue(head.fields, 'user-agent') ?? '')?.[1] ?? -1);
    const story = world.stories.get(id);
    if (story === undefined) {
      world.violate(
        '2 fidelity',
        `${this.lane} was sent a request that nobody made: ${head.start}`,
      );
      return;
    }
    this.#turn += 1;
    this.#story = story;
    if (this.#isClosing) {
      const what = `request ${id} on a connection that was to end (RFC 9112, 9.6)`;
      world.violate('6 nothing twice', what);
    }
    const arrival: Arrival = {
      lane: this.lane,
      socket: this.socket,
      at: world.now,
      givenBefore: this.socket.bytesGiven,
      restedMs: this.#served === 0 ? null : world.now - this.#restingSince,
      isComplete: false,
      body: null,
      script: null,
      sentBytes: 0,
      headSentAt: 0,
      end: 'open',
      endedAt: 0,
    };
    this.#served += 1;
    this.#arrival = arrival;
    world.note(this.#name(), `request ${id} arrives`, this.#served);
    this.#credentials = this.#checks.arrived(story, arrival, head, this.#credentials);
    const { plan } = story;
    arrival.script = drawAnswer(world.random, world.knobs, {
      method: plan.method,
      path: plan.target,
      isUpgrade: plan.isUpgrade && wireValue(head.fields, 'upgrade') !== undefined,
    });
    const { random, knobs } = world;
    // As if its idle timer had run out just before: the request crosses the end of the connection.
    if (arrival.restedMs !== null && random.chance(knobs.upstreamFaults / 4)) {
      this.#hasSprung = true;
      this.#close(random.pick(['fin', 'reset']));
    } else if (arrival.script.isEarly) {
      this.#answerSoon(arrival, arrival.script);
    }
  }

  #onPayload(bytes: Buffer): void {
    const { body } = this.#arrival ?? {};
    if (body === null || body === undefined || body.feed(bytes)) return;
    this.#world.violate(
      '2 fidelity',
      `${this.#name()}: the body differs near byte ${body.matched}`,
    );
  }

  #onDone(): void {
    const arrival = this.#arrival;
    const story = this.#story;
    if (arrival === null || story === null || this.#hasSprung) return;
    arrival.isComplete = true;
    this.#checks.completed(story, arrival);
    this.#world.note(this.#name(), 'request is complete');
    if (arrival.script !== null && !arrival.script.isEarly) {
      this.#answerSoon(arrival, arrival.script);
    }
    if (arrival.script?.isUpgrade !== true) this.#reader.next('');
  }

  #onFin(): void {
    this.#ended('lost', 'closed by the proxy');
    this.#endpoint.close();
  }

  /* ---- answering ---- */

  #answerSoon(arrival: Arrival, script: AnswerScript): void {
    const { random } = this.#world;
    const delay = random.chance(0.6)
      ? 0
      : random.spread(1, random.chance(0.03) ? 1_000_000 : 2_000);
    const turn = this.#turn;
    const limit = Math.min(script.cut?.at ?? script.wire.length, script.wire.length);
    const sendOn = (): void => {
      if (turn !== this.#turn || this.#endpoint.isGone) return;
      const from = arrival.sentBytes;
      const size = random.chance(0.5) ? limit - from : random.spread(1, limit - from + 1);
      const to = Math.min(limit, from + size);
      this.#endpoint.send(script.wire.subarray(from, to));
      arrival.sentBytes = to;
      if (from < script.headBytes && to >= script.headBytes) arrival.headSentAt = this.#world.now;
      if (to < limit) this.#world.after(random.float() * script.pauseMs, sendOn);
      else this.#finish(arrival, script);
    };
    this.#world.after(delay, sendOn);
  }

  #finish(arrival: Arrival, script: AnswerScript): void {
    const { random } = this.#world;
    this.#world.note(this.#name(), `answer ${script.status} is sent`, arrival.sentBytes);
    if (script.cut !== null) {
      if (script.cut.how !== 'stall') this.#close(script.cut.how);
      return;
    }
    this.#restingSince = this.#world.now;
    const isClosing = script.closes || script.flaw !== 'none' || script.isUpgrade;
    this.#ended('whole', 'whole');
    if (isClosing) {
      const isSaid = wireValue(script.fields, 'connection') === 'close' || script.version === '1.0';
      this.#isClosing = isSaid;
      // One that said so may take its time, unless that is what ends the answer.
      const mayWait = isSaid && (script.framing === 'length' || script.framing === 'chunked');
      const ms = mayWait && random.chance(0.5) ? random.spread(1, 3_000) : 0;
      this.#world.after(ms, () => this.#endpoint.finish());
      return;
    }
    this.#restFor(this.#drawRest());
  }

  /** How long it keeps an idle connection, ms; where readers are slow at times hardly at all. */
  #drawRest(): number {
    const { random, knobs } = this.#world;
    if (random.chance(knobs.slowReaders / 4)) return random.spread(1, 300);
    return random.chance(0.5) ? 400_000 : random.spread(500, 60_000);
  }

  #restFor(ms: number): void {
    const turn = this.#turn;
    this.#world.after(ms, () => {
      if (turn !== this.#turn || this.#endpoint.isGone) return;
      if (this.#endpoint.unsentBytes > 0) this.#restFor(ms);
      else this.#leave();
    });
  }

  /** Lets an idle connection go, as servers do: by FIN, by RST, or with a word. */
  #leave(): void {
    const { random } = this.#world;
    this.#world.note(this.#name(), 'lets an idle connection go');
    if (random.chance(0.2)) this.#endpoint.send(Buffer.from('HTTP/1.1 408 Too Late\r\n\r\n'));
    if (random.chance(0.3)) this.#close('reset');
    else {
      this.#endpoint.fin();
      this.#world.after(random.spread(1, 50), () => this.#close('fin'));
    }
  }

  #close(how: 'fin' | 'reset'): void {
    this.#world.note(this.#name(), `ends the connection by ${how}`);
    if (how === 'reset') {
      this.#ended('reset', 'reset');
      this.#mayBeLost();
      this.#endpoint.reset();
      return;
    }
    this.#ended('fin', 'fin');
    // With unread bytes this is RST, as it would be.
    this.#endpoint.finish();
  }

  /** RST may take along what of a whole answer was not read yet. */
  #mayBeLost(): void {
    const arrival = this.#arrival;
    if (arrival?.end !== 'whole' || arrival.script === null) return;
    const given = this.socket.bytesGiven - arrival.givenBefore;
    if (given < arrival.script.wire.length) arrival.end = 'reset';
  }

  #ended(end: Arrival['end'], how: string): void {
    const arrival = this.#arrival;
    if (arrival === null || arrival.end !== 'open') return;
    arrival.end = end;
    arrival.endedAt = this.#world.now;
    this.#world.note(this.#name(), `exchange ends: ${how}`);
  }
}
