/**
 * An HTTP/1.1 client that is nothing but a socket: exact bytes out, exact bytes in.
 *
 * Straight to an address (gateway and absolute-form requests: the caller writes them) or through
 * CONNECT, with TLS inside; the first bytes of a tunnel may leave together with the CONNECT head.
 */
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { ByteReader } from './byte-reader.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** TLS as a client asks for it. */
export interface RawTls {
  readonly ca: string;
  readonly servername: string;
  /** Default: no ALPN at all. */
  readonly alpn?: readonly string[];
}

export interface RawOptions {
  /** Where the TCP connection goes: the proxy, or an upstream itself. */
  readonly to: Address;
  readonly connect?: {
    /** The CONNECT target, `host:port`. */
    readonly target: string;
    /** Further field lines, without line ends. */
    readonly fields?: readonly string[];
    /** Sends what comes first in the tunnel in the same write as the CONNECT head. */
    readonly early?: boolean;
    /** Early bytes of a tunnel without TLS; only with `early`. */
    readonly earlyBytes?: string | Buffer;
  };
  /** TLS on the connection or, with `connect`, inside of the tunnel. */
  readonly tls?: RawTls;
}

/** An answer, byte for byte. */
export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** Field lines in their order and case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** From the status line to the empty line, both included. */
  readonly head: Buffer;
  /** The body as it was framed. */
  readonly wire: Buffer;
  /** The payload, without chunk framing. */
  readonly body: Buffer;
}

export interface RawConnection {
  /** The socket that requests go through: the TLS one, where there is TLS. */
  readonly socket: Duplex;
  /** The TCP socket below. */
  readonly tcp: net.Socket;
  /** The answer to CONNECT, or null. */
  readonly connectAnswer: RawAnswer | null;
  /** Incoming bytes. */
  readonly reader: ByteReader;
  /** Writes these bytes; resolves when the system took them. */
  send(bytes: string | Buffer): Promise<void>;
  /**
   * Reads one final answer; interim ones before it are skipped.
   *
   * @param method of the request, HEAD having no body
   * @throws Error where the connection ends first
   */
  readAnswer(method?: string): Promise<RawAnswer>;
  /** Reads only a head (interim ones too). */
  readHead(): Promise<RawAnswer>;
  /** Lets go at once: FIN, or RST where something was unread. */
  destroy(): void;
}

/** Thrown when CONNECT is not answered with 2xx. */
export class ConnectRefused extends Error {
  override readonly name = 'ConnectRefused';
  readonly answer: RawAnswer;
  constructor(answer: RawAnswer) {
    super(`CONNECT was answered with ${answer.status}`);
    this.answer = answer;
  }
}

/**
 * Opens a connection.
 *
 * @throws ConnectRefused
 * @throws Error of the socket or of TLS
 */
export async function rawConnect(options: RawOptions): Promise<RawConnection> {
  const tcp = net.connect({ ...options.to, noDelay: true });
  tcp.on('error', () => {});
  await opened(tcp, 'connect');
  const tunnel = options.connect === undefined ? null : await openTunnel(tcp, options);
  const below: Duplex = tunnel?.stream ?? tcp;
  const socket = options.tls === undefined ? below : await secure(below, options.tls);
  const answer = tunnel === null ? null : await tunnel.answer;
  const reader = new ByteReader(socket);
  return {
    socket,
    tcp,
    connectAnswer: answer,
    reader,
    send: (bytes) => written(socket, bytes),
    readHead: () => readHead(reader),
    readAnswer: (method = 'GET') => readAnswer(reader, method),
    destroy: () => {
      socket.destroy();
      tcp.destroy();
    },
  };
}

function opened(socket: Duplex, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`the connection closed before ${event}`)));
  });
}

async function secure(below: Duplex, options: RawTls): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    socket: below,
    ca: options.ca,
    servername: options.servername,
    ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
  });
  await opened(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

interface Tunnel {
  readonly stream: Duplex;
  readonly answer: Promise<RawAnswer>;
}

async function openTunnel(tcp: net.Socket, { connect, tls: inner }: RawOptions): Promise<Tunnel> {
  const { target, fields = [], early = false, earlyBytes = '' } = connect ?? { target: '' };
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, ...fields, '', ''];
  const head = Buffer.from(lines.join('\r\n'), 'latin1');
  const reader = new ByteReader(tcp);
  const answer = readHead(reader).then((read) => {
    if (read.status >= 200 && read.status < 300) return read;
    throw new ConnectRefused(read);
  });
  answer.catch(() => {});
  const stream = new TunnelStream(tcp, reader, answer, early && inner !== undefined ? head : null);
  stream.on('error', () => {});
  if (early && inner !== undefined) return { stream, answer };
  await written(tcp, Buffer.concat([head, Buffer.from(early ? earlyBytes : '')]));
  await answer;
  return { stream, answer };
}

/** The inside of a tunnel. Its first write takes the CONNECT head along where that still waits. */
class TunnelStream extends Duplex {
  readonly #tcp: net.Socket;
  readonly #reader: ByteReader;
  readonly #ready: Promise<unknown>;
  #head: Buffer | null;
  #reading = false;

  constructor(tcp: net.Socket, reader: ByteReader, ready: Promise<unknown>, head: Buffer | null) {
    super();
    this.#tcp = tcp;
    this.#reader = reader;
    this.#ready = ready;
    this.#head = head;
  }

  override _write(piece: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const bytes = this.#head === null ? piece : Buffer.concat([this.#head, piece]);
    this.#head = null;
    this.#tcp.write(bytes, done);
  }

  override _final(done: () => void): void {
    this.#tcp.end(done);
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#pull().catch((cause: Error) => this.destroy(cause));
  }

  async #pull(): Promise<void> {
    await this.#ready;
    const piece = await this.#reader.some();
    this.#reading = false;
    this.push(piece);
  }

  override _destroy(cause: Error | null, done: (error: Error | null) => void): void {
    this.#tcp.destroy();
    done(cause);
  }
}

function written(socket: Duplex, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function readHead(reader: ByteReader): Promise<RawAnswer> {
  const head = await reader.through('\r\n\r\n');
  const [start = '', ...lines] = head.toString('latin1').trimEnd().split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(start);
  if (match === null) throw new Error(`not a status line: ${start}`);
  const fields = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const none = Buffer.alloc(0);
  return { status: Number(match[1]), reason: match[2] ?? '', fields, head, wire: none, body: none };
}

async function readAnswer(reader: ByteReader, method: string): Promise<RawAnswer> {
  let answer = await readHead(reader);
  while (answer.status < 200 && answer.status !== 101) answer = await readHead(reader);
  if (method === 'HEAD' || answer.status === 204 || answer.status === 304) return answer;
  if (answer.status === 101) return answer;
  const value = (name: string): string | undefined =>
    answer.fields.find((field) => field[0].toLowerCase() === name)?.[1];
  if (value('transfer-encoding')?.toLowerCase() === 'chunked') {
    return { ...answer, ...(await readChunked(reader)) };
  }
  const length = value('content-length');
  const body = length === undefined ? await reader.rest() : await reader.exactly(Number(length));
  return { ...answer, wire: body, body };
}

async function readChunked(reader: ByteReader): Promise<{ wire: Buffer; body: Buffer }> {
  const wire: Buffer[] = [];
  const body: Buffer[] = [];
  for (;;) {
    const line = await reader.through('\r\n');
    wire.push(line);
    const size = Number.parseInt(line.toString('latin1'), 16);
    if (!Number.isInteger(size)) throw new Error('not a chunk size');
    if (size === 0) break;
    const chunk = await reader.exactly(size + 2);
    wire.push(chunk);
    body.push(chunk.subarray(0, size));
  }
  for (;;) {
    const line = await reader.through('\r\n');
    wire.push(line);
    if (line.length === 2) return { wire: Buffer.concat(wire), body: Buffer.concat(body) };
  }
}
