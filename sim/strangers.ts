/**
 * Traffic that is none of the lanes' business: blind tunnels and plain requests to other hosts. It is
 * dialled where the client said and nowhere else, its bytes are not touched, a whole end is one that
 * the other side made.
 */
import { Endpoint } from './endpoint.ts';
import { createLink, type Flow, type NetworkOptions } from './network.ts';
import type { SimProxy } from './proxy.ts';
import type { SimSocket } from './socket.ts';
import { Matcher } from './wire-reader.ts';
import type { World } from './world.ts';

/** Ports of the simulated hosts that tunnels lead to; the port says whose tunnel it is. */
const FIRST_PORT = 20_000;
/** Longer than a host takes, ms. */
const PATIENCE_MS = 7_200_000;
const HEAD_END = '\r\n\r\n';

type Kind = 'tunnel' | 'forward';

/** One client and the host that it wants, with what each of them says. */
class Stranger {
  readonly port: number;
  readonly kind: Kind;
  readonly #world: World;
  readonly #up: Buffer;
  readonly #down: Buffer;
  /** What the host got, and what the client got behind the head of the proxy. */
  readonly #atHost: Matcher;
  readonly #atClient: Matcher;
  #client: Endpoint | null = null;
  #proxy: SimProxy | null = null;
  #head = '';
  #isEstablished = false;
  #hostEnd: 'open' | 'fin' | 'reset' = 'open';
  #hasSentAll = false;
  #hasClientEnded = false;

  constructor(world: World, port: number) {
    const { random } = world;
    this.#world = world;
    this.port = port;
    this.kind = random.pick(['tunnel', 'forward']);
    const text = (size: number): Buffer => Buffer.from(`${port} `.repeat(size));
    const body = text(random.spread(1, random.chance(0.15) ? 40_000 : 800));
    const answer = text(random.spread(1, random.chance(0.15) ? 40_000 : 800));
    if (this.kind === 'tunnel') {
      this.#up = body;
      this.#down = answer;
      this.#atHost = new Matcher(body);
    } else {
      const fields = `Host: host.sim:${port}\r\nContent-Length: ${body.length}\r\n`;
      this.#up = Buffer.concat([
        Buffer.from(`POST http://host.sim:${port}/x HTTP/1.1\r\n${fields}\r\n`),
        body,
      ]);
      const head = `POST /x HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`;
      this.#atHost = new Matcher(Buffer.concat([Buffer.from(head), body]));
      const length = `Content-Length: ${answer.length}\r\n`;
      this.#down = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${length}\r\n`), answer]);
    }
    this.#atClient = new Matcher(answer);
  }

  /* ---- the client ---- */

  connect(proxy: SimProxy, network: NetworkOptions): void {
    const world = this.#world;
    const { there, back } = createLink(network);
    const socket = world.createSocket(false, () => undefined);
    this.#client = new Endpoint(world.scheduler, back, there, {
      onBytes: (bytes) => this.#fromProxy(bytes),
      onFin: () => this.#clientFin(),
      onReset: () => world.note('stranger', `${this.port} is reset`),
    });
    socket.attach(there, back);
    this.#proxy = proxy;
    proxy.accept(socket);
    const { random, knobs } = world;
    const client = this.#client;
    // After an error of ours the connection would live on.
    world.after(PATIENCE_MS, () => client.close());
    if (this.kind === 'tunnel') {
      const authority = `host.sim:${this.port}`;
      this.#client.send(Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`));
      // It has nothing to say, and says so before the tunnel is open.
      if (random.chance(0.2)) this.#client.fin();
    } else {
      this.#client.send(this.#up);
    }
    if (!random.chance(knobs.clientFaults)) return;
    const how = random.pick(['close', 'reset'] as const);
    world.after(random.spread(1, 5_000), () => client[how]());
  }

  #fromProxy(bytes: Buffer): void {
    const { random, knobs } = this.#world;
    this.#world.note('stranger', `${this.port} gets bytes`, bytes.length);
    if (random.chance(knobs.slowReaders)) this.#dawdle();
    if (this.#isEstablished) {
      this.#match(bytes);
      return;
    }
    this.#head += bytes.toString('latin1');
    const end = this.#head.indexOf(HEAD_END);
    // An error of our own says so by its status; nothing passes then.
    if (end < 0 || !this.#head.startsWith('HTTP/1.1 200 ')) return;
    this.#isEstablished = true;
    const rest = this.#head.slice(end + HEAD_END.length);
    if (rest !== '') this.#match(Buffer.from(rest, 'latin1'));
    if (this.kind === 'forward') return;
    this.#client?.send(this.#up);
    if (random.chance(0.5)) this.#client?.fin();
  }

  #dawdle(): void {
    const { random } = this.#world;
    this.#client?.stopReading();
    this.#world.after(random.spread(1, 500), () => this.#client?.startReading());
  }

  #match(bytes: Buffer): void {
    if (this.#atClient.feed(bytes)) {
      // Its connection would live on; it has no more to ask.
      if (this.kind === 'forward' && this.#atClient.isWhole) this.#client?.close();
      return;
    }
    const what = `${this.kind} ${this.port}: the client got another byte ${this.#atClient.matched}`;
    this.#world.violate('2 fidelity', what);
  }

  #clientFin(): void {
    this.#world.note('stranger', `${this.port} hears the end`);
    const isTold =
      this.#isEstablished && this.kind === 'tunnel' && this.#proxy?.isDraining !== true;
    // A tunnel passes the host's own end on, and makes none of its own out of a reset.
    if (isTold && this.#hostEnd === 'fin' && this.#hasSentAll && !this.#atClient.isWhole) {
      const { matched, expected } = this.#atClient;
      const what = `tunnel ${this.port}: ended after ${matched} of ${expected.length} bytes`;
      this.#world.violate('4 no lie at the end', what);
    }
    this.#client?.close();
  }

  /* ---- the host ---- */

  /** The proxy has dialled it. */
  accept(socket: SimSocket, network: NetworkOptions): void {
    const world = this.#world;
    const { there, back } = createLink(network);
    const host = this.#host(there, back);
    socket.attach(back, there);
    const { random, knobs } = world;
    const fault = random.chance(knobs.upstreamFaults);
    const bytes = fault ? random.between(0, this.#down.length) : this.#down.length;
    world.after(random.spread(1, 300), () => {
      if (host.isGone) return;
      host.send(this.#down.subarray(0, bytes));
      this.#hasSentAll = bytes === this.#down.length;
      this.#hostEnd = fault && random.chance(0.5) ? 'reset' : 'fin';
      if (this.#hostEnd === 'reset') host.reset();
      else if (this.#hasClientEnded) host.finish();
      else host.fin();
    });
  }

  #host(incoming: Flow, outgoing: Flow): Endpoint {
    const world = this.#world;
    const host: Endpoint = new Endpoint(world.scheduler, incoming, outgoing, {
      onBytes: (bytes) => {
        if (this.#atHost.feed(bytes)) return;
        const what = `${this.kind} ${this.port}: the host got another byte ${this.#atHost.matched}`;
        world.violate('2 fidelity', what);
      },
      onFin: () => {
        this.#hasClientEnded = true;
        if (this.#hostEnd !== 'open') host.finish();
      },
      onReset: () => undefined,
    });
    return host;
  }
}

/** All strangers of a run, by the port that each wants. */
export class Strangers {
  readonly #world: World;
  readonly #network: NetworkOptions;
  readonly #byPort = new Map<number, Stranger>();

  constructor(world: World, network: NetworkOptions) {
    this.#world = world;
    this.#network = network;
  }

  /** Lets them come, each at its time. */
  populate(proxy: SimProxy): void {
    const { random, knobs } = this.#world;
    for (let i = 0; i < knobs.strangers; i += 1) {
      const stranger = new Stranger(this.#world, FIRST_PORT + i);
      this.#byPort.set(stranger.port, stranger);
      this.#world.after(random.float() * knobs.spanMs, () => {
        if (!proxy.isDraining) stranger.connect(proxy, this.#network);
      });
    }
  }

  /** A dialled socket is connected, where its port is somebody's. */
  accepts(port: number): ((socket: SimSocket) => void) | null {
    const stranger = this.#byPort.get(port);
    return stranger === undefined ? null : (socket) => stranger.accept(socket, this.#network);
  }
}
