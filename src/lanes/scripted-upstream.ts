/**
 * Support for the tests of this room: upstreams that write exact bytes over real sockets and TLS on
 * loopback, lanes that point at them, and a recorder of what an attempt is told.
 */

import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { LaneConfig, Timeouts, UpstreamConfig } from '../config/types.ts';
import { placesIn } from '../core/json/testing/places.ts';
import type { Field, Fields, Framing, RequestHead, ResponseHead } from '../core/message.ts';
import type { ByteStream, OutboundEvents, UpstreamFailure } from '../core/ports.ts';
import { createLanes, type LanesOptions } from './create.ts';
import type { Lane, LaneRequest } from './lane.ts';
import type { Surroundings } from './wakefulness.ts';

export const TIMEOUTS: Timeouts = {
  connectMs: 5_000,
  tlsMs: 5_000,
  headMs: 5_000,
  idleMs: 5_000,
};

/** A machine that never sleeps, for tests in which time passes that no timer hears of. */
export const AWAKE: Surroundings = { now: () => 0, wall: () => 0, network: () => null };

/** What a scripted upstream proves itself with. */
export interface ServerKeys {
  readonly certPem: string;
  readonly keyPem: string;
}

/** One accepted connection of a scripted upstream. */
export interface Peer {
  readonly socket: net.Socket;
  /** Everything received, as latin1. */
  readonly received: () => string;
  /** Resolves with all that was received once it satisfies the condition. */
  until(done: (received: string) => boolean): Promise<string>;
  /** Resolves when the connection has ended in any way. */
  readonly gone: Promise<void>;
}

export interface Scripted {
  readonly port: number;
  readonly peers: readonly Peer[];
  /** The peer of that number, once it has connected. */
  peer(index: number): Promise<Peer>;
  close(): Promise<void>;
}

/** Listens on loopback; with a certificate by TLS. */
export async function scriptUpstream(
  options: { tls?: ServerKeys; alpn?: string[]; maxVersion?: 'TLSv1.2' } = {},
  script: (peer: Peer) => void = () => {},
): Promise<Scripted> {
  const peers: Peer[] = [];
  const waiting: (() => void)[] = [];
  const raw = new Set<net.Socket>();
  const accept = (socket: net.Socket): void => {
    const peer = trackPeer(socket);
    peers.push(peer);
    for (const wake of waiting.splice(0)) wake();
    script(peer);
  };
  const server =
    options.tls === undefined
      ? net.createServer({ allowHalfOpen: true, noDelay: true }, accept)
      : tls.createServer(
          {
            cert: options.tls.certPem,
            key: options.tls.keyPem,
            ALPNProtocols: options.alpn ?? ['http/1.1'],
            ...(options.maxVersion === undefined ? {} : { maxVersion: options.maxVersion }),
          },
          accept,
        );
  server.on('connection', (socket: net.Socket) => {
    raw.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => raw.delete(socket));
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    peers,
    async peer(index) {
      for (;;) {
        const found = peers[index];
        if (found !== undefined) return found;
        await new Promise<void>((wake) => waiting.push(wake));
      }
    },
    async close() {
      for (const socket of raw) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function trackPeer(socket: net.Socket): Peer {
  let received = '';
  let waiting: { done: (received: string) => boolean; wake: (received: string) => void }[] = [];
  socket.on('error', () => {});
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
    socket.on('end', () => resolve());
  });
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
    const woken = waiting.filter(({ done }) => done(received));
    waiting = waiting.filter((one) => !woken.includes(one));
    for (const { wake } of woken) wake(received);
  });
  return {
    socket,
    received: () => received,
    until: (done) =>
      done(received)
        ? Promise.resolve(received)
        : new Promise((wake) => waiting.push({ done, wake })),
    gone,
  };
}

/** A whole answer. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Answers every head, except those of a path that says to hold. */
export function answering(peer: Peer): void {
  let seen = 0;
  peer.socket.on('data', () => {
    const heads = peer.received().split('\r\n\r\n').slice(0, -1);
    for (const head of heads.slice(seen)) if (!head.includes('/hold')) peer.socket.write(OK);
    seen = heads.length;
  });
}

/** True once a whole request head has come. */
export const headCame = (received: string): boolean => received.includes('\r\n\r\n');

/** An upstream's address as the configuration has it. */
export function upstreamAt(port: number, more: Partial<UpstreamConfig> = {}): UpstreamConfig {
  return { scheme: 'http', host: '127.0.0.1', port, basePath: '', ca: null, ...more };
}

/** A passthrough lane's configuration. */
export function passthrough(upstream: UpstreamConfig, name = 'anthropic'): LaneConfig {
  return {
    name,
    tag: name.slice(0, 4),
    upstream,
    credentials: { kind: 'passthrough' },
    models: [],
    body: { userId: 'keep', attribution: 'keep' },
  };
}

/** One passthrough lane to an upstream. */
export function laneTo(upstream: UpstreamConfig, options: Partial<LanesOptions> = {}): Lane {
  const config = passthrough(upstream);
  const lane = createLanes(new Map([[config.name, config]]), {
    http2: 'follow',
    timeouts: TIMEOUTS,
    surroundings: AWAKE,
    ...options,
  }).get(config.name);
  if (lane === undefined) throw new Error('no lane');
  return lane;
}

/** A client's request, with defaults. */
export function requestOf(
  more: {
    method?: string;
    target?: string;
    fields?: Fields;
    framing?: Framing;
    upgrade?: string | null;
    clientProtocol?: 'h1' | 'h2';
    body?: readonly Buffer[] | null;
    model?: string | null;
  } = {},
): LaneRequest {
  const clientProtocol = more.clientProtocol ?? 'h1';
  const head: RequestHead = {
    method: more.method ?? 'GET',
    target: more.target ?? '/v1/models',
    version: clientProtocol === 'h1' ? '1.1' : '2',
    fields: more.fields ?? ([['Host', 'api.example.test']] as Field[]),
    framing: more.framing ?? { kind: 'none' },
    keepAlive: true,
    upgrade: more.upgrade ?? null,
    expectContinue: false,
  };
  const body = more.body ?? null;
  const places = body === null ? null : placesIn(body);
  return { head, clientProtocol, body, model: more.model ?? null, places };
}

/** What an attempt was told, in order, with promises for its turning points. */
export interface Recorder extends OutboundEvents {
  readonly log: string[];
  readonly interims: ResponseHead[];
  readonly head: Promise<ResponseHead>;
  readonly end: Promise<Fields>;
  readonly fail: Promise<UpstreamFailure>;
  readonly upgrade: Promise<{ head: ResponseHead; stream: ByteStream }>;
  /** Resolves at the next drain. */
  drain(): Promise<void>;
  /** The payload so far. */
  body(): Buffer;
  /** The bytes so far, as they were framed. */
  wire(): Buffer;
  /** Resolves once that many bytes of payload have come. */
  payload(bytes: number): Promise<void>;
}

/** Makes a recorder; a promise that is never awaited never fails the test. */
export function record(): Recorder {
  const head = Promise.withResolvers<ResponseHead>();
  const end = Promise.withResolvers<Fields>();
  const fail = Promise.withResolvers<UpstreamFailure>();
  const upgrade = Promise.withResolvers<{ head: ResponseHead; stream: ByteStream }>();
  const wires: Buffer[] = [];
  const payloads: Buffer[] = [];
  let payloadBytes = 0;
  let drains: (() => void)[] = [];
  let hungry: { bytes: number; wake: () => void }[] = [];
  const log: string[] = [];
  const interims: ResponseHead[] = [];
  return {
    log,
    interims,
    head: head.promise,
    end: end.promise,
    fail: fail.promise,
    upgrade: upgrade.promise,
    drain: () => new Promise((resolve) => drains.push(resolve)),
    body: () => Buffer.concat(payloads),
    wire: () => Buffer.concat(wires),
    payload: (bytes) =>
      payloadBytes >= bytes
        ? Promise.resolve()
        : new Promise((wake) => hungry.push({ bytes, wake })),
    onInterim(interim) {
      log.push(`interim ${interim.status}`);
      interims.push(interim);
    },
    onHead(final) {
      log.push(`head ${final.status}`);
      head.resolve(final);
    },
    onBody(wire, data) {
      wires.push(wire);
      for (const piece of data ?? [wire]) {
        payloads.push(piece);
        payloadBytes += piece.length;
      }
      for (const one of hungry) if (one.bytes <= payloadBytes) one.wake();
      hungry = hungry.filter((one) => one.bytes > payloadBytes);
    },
    onEnd(trailers) {
      log.push('end');
      end.resolve(trailers);
    },
    onDrain() {
      for (const wake of drains) wake();
      drains = [];
    },
    onFail(failure) {
      log.push(`fail ${failure.code}`);
      fail.resolve(failure);
    },
    onUpgrade(answer, stream) {
      log.push('upgrade');
      upgrade.resolve({ head: answer, stream });
    },
  };
}

/** The next turns of the event loop: what was going to be delivered anyway has been. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
