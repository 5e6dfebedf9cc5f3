/**
 * What the tests of this room share: an edge behind a real listener, a client that speaks raw bytes,
 * and a relay that does as a test tells it.
 */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { TunnelPolicy } from '../../core/destination.ts';
import type { Fields, ResponseHead } from '../../core/message.ts';
import type { Delivery, Inbound, InboundEvents } from '../../core/ports.ts';
import { Secret } from '../../core/secret.ts';
import { type MintedServer, mintServer } from '../../pki/authority.ts';
import { createEdge, type Edge, type LogFacts } from '../edge.ts';

/** The intercepted host of the tests. */
export const HOST = 'api.anthropic.com';
export const VERSION = '9.8.7-test';

let minted: Promise<MintedServer> | null = null;

/** A certificate for HOST and `origin.test`, minted once. */
export function certificate(): Promise<MintedServer> {
  minted ??= mintServer({ names: [HOST, 'second.test'], ips: [], now: new Date() });
  return minted;
}

export interface TestEdge {
  readonly edge: Edge;
  readonly port: number;
  readonly warnings: Array<{ readonly event: string; readonly facts: LogFacts }>;
  /** The certificate to trust for HOST. */
  readonly ca: string;
  close(): Promise<void>;
}

export interface TestEdgeOptions {
  readonly onExchange?: (inbound: Inbound) => void;
  readonly token?: string;
  readonly interceptHosts?: readonly string[];
  readonly ownHosts?: readonly string[];
  readonly tunnels?: TunnelPolicy;
}

/** An edge behind a listener on loopback. */
export async function startEdge(options: TestEdgeOptions = {}): Promise<TestEdge> {
  const pki = await certificate();
  const secureContext = tls.createSecureContext({ key: pki.keyPem, cert: pki.certPem });
  const warnings: TestEdge['warnings'] = [];
  let port = 0;
  const edge = createEdge({
    settings: () => ({
      secureContext,
      interceptHosts: new Set(options.interceptHosts ?? [HOST]),
      token: options.token === undefined ? null : Secret.of(options.token),
      ownPort: port,
      ownHosts: options.ownHosts ?? [],
      tunnels: options.tunnels ?? { private: 'allow', metadata: 'refuse' },
    }),
    onExchange: options.onExchange ?? ((inbound) => answer(inbound, 200, 'ok')),
    log: { warn: (event, facts) => warnings.push({ event, facts }) },
    version: VERSION,
  });
  const server = net.createServer({ allowHalfOpen: true }, (socket) => edge.accept(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as net.AddressInfo).port;
  return {
    edge,
    port,
    warnings,
    ca: pki.caCertPem,
    async close() {
      server.close();
      edge.destroy();
      await edge.drained();
    },
  };
}

/** Makes the head of an answer. */
export function answerHead(
  status: number,
  fields: Fields = [],
  framing: ResponseHead['framing'] = { kind: 'none' },
): ResponseHead {
  return { status, reason: 'Fine', version: '1.1', fields, framing, keepAlive: true };
}

/** Reads the request to its end, then answers with a body of known length. */
export function answer(inbound: Inbound, status: number, body: string): Promise<Heard> {
  const heard = listen(inbound, () => {
    const bytes = Buffer.from(body);
    const fields: Fields = [['Content-Length', String(bytes.length)]];
    inbound.respond(answerHead(status, fields, { kind: 'length', length: bytes.length }));
    inbound.write(bytes, null);
    inbound.end([]);
  });
  return heard.closed;
}

/** What a relay heard of an exchange. */
export interface Heard {
  /** Payload of the request. */
  readonly body: string;
  /** Bytes of the request's body as they were framed. */
  readonly wire: string;
  readonly trailers: Fields | null;
  readonly delivery: Delivery;
}

export interface Listening {
  /** When the request is complete. */
  readonly ended: Promise<void>;
  readonly closed: Promise<Heard>;
  /** `onClose` calls so far. */
  closes(): number;
  /** Payload bytes so far. */
  received(): number;
}

/** Reads a request; `onEnd` and `onDrain` run in those events. */
export function listen(
  inbound: Inbound,
  onEnd: () => void = () => undefined,
  onDrain: () => void = () => undefined,
): Listening {
  const ended = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<Heard>();
  const payload: Buffer[] = [];
  const wires: Buffer[] = [];
  let trailers: Fields | null = null;
  let closes = 0;
  let received = 0;
  const events: InboundEvents = {
    onBody(wire, data) {
      wires.push(Buffer.from(wire));
      for (const slice of data ?? [wire]) {
        payload.push(Buffer.from(slice));
        received += slice.length;
      }
    },
    onEnd(given) {
      trailers = given;
      ended.resolve();
      onEnd();
    },
    onDrain,
    onClose(delivery) {
      closes += 1;
      closed.resolve({
        body: Buffer.concat(payload).toString('latin1'),
        wire: Buffer.concat(wires).toString('latin1'),
        trailers,
        delivery,
      });
    },
  };
  inbound.read(events);
  return {
    ended: ended.promise,
    closed: closed.promise,
    closes: () => closes,
    received: () => received,
  };
}

/** A client of raw bytes; text is one character a byte. */
export interface RawClient {
  readonly socket: net.Socket;
  readonly text: string;
  /** Resolves once what came passes. */
  until(passes: string | ((text: string) => boolean)): Promise<string>;
  /** Resolves with all that came, once the peer has ended or failed. */
  ended(): Promise<{ readonly text: string; readonly error: string | null }>;
}

export function rawClient(socket: net.Socket): RawClient {
  let text = '';
  let error: string | null = null;
  let isEnded = false;
  const checks = new Set<() => void>();
  const check = (): void => {
    for (const run of checks) run();
  };
  socket.setEncoding('latin1');
  socket.on('data', (piece: string) => {
    text += piece;
    check();
  });
  socket.on('error', (given: NodeJS.ErrnoException) => {
    error = given.code ?? given.message;
  });
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      isEnded = true;
      check();
    });
  }
  const wait = <T>(take: () => T | null): Promise<T> =>
    new Promise((resolve, reject) => {
      const run = (): void => {
        const value = take();
        if (value !== null) {
          checks.delete(run);
          resolve(value);
        } else if (isEnded) {
          checks.delete(run);
          reject(new Error(`ended (${error}) with: ${text}`));
        }
      };
      checks.add(run);
      run();
    });
  return {
    socket,
    get text() {
      return text;
    },
    until: (passes) =>
      wait(() =>
        (typeof passes === 'string' ? text.includes(passes) : passes(text)) ? text : null,
      ),
    ended: () => wait(() => (isEnded ? { text, error } : null)),
  };
}

/** Connects a raw client to a port on loopback; it ends its side only when told to. */
export async function connect(port: number): Promise<RawClient> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  const client = rawClient(socket);
  await once(socket, 'connect');
  return client;
}

/** Opens a tunnel and TLS inside it; `alpn` empty offers none. */
export async function connectTls(
  edge: TestEdge,
  options: {
    readonly alpn?: string[];
    readonly servername?: string;
    readonly target?: string;
  } = {},
): Promise<tls.TLSSocket> {
  const { target = `${HOST}:443`, servername = HOST, alpn = [] } = options;
  const tunnel = await connect(edge.port);
  tunnel.socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  await tunnel.until('\r\n\r\n');
  const socket = tls.connect({
    socket: withoutReaders(tunnel.socket),
    servername,
    ca: edge.ca,
    ...(alpn.length > 0 ? { ALPNProtocols: alpn } : {}),
    checkServerIdentity: () => undefined,
  });
  await once(socket, 'secureConnect');
  return socket;
}

function withoutReaders(socket: net.Socket): net.Socket {
  socket.pause();
  socket.removeAllListeners('data');
  return socket;
}
