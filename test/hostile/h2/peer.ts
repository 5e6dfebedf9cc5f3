/**
 * One raw HTTP/2 connection of a test: over plain TCP with prior knowledge (RFC 9113 section 3.3), or inside
 * TLS, which may lie in a CONNECT tunnel. Sends any bytes, keeps every frame that comes, and says in one word
 * what the other side did.
 */
import net from 'node:net';
import tls from 'node:tls';
import {
  blockOf,
  codeName,
  FLAG,
  type Frame,
  FrameReader,
  PREFACE,
  ping,
  settings,
  settingsAck,
  TYPE,
} from './frames.ts';
import { HpackDecoder, type Line } from './hpack.ts';

/** Where a server is, and how it is reached. */
export interface Door {
  readonly host: string;
  readonly port: number;
  /** TLS with ALPN `h2`; without it prior knowledge. */
  readonly tls?: {
    readonly ca: string;
    readonly servername: string;
    /** Asks the server for a tunnel to this host's port 443 first. */
    readonly tunnel: boolean;
  };
  /** How long an outcome is waited for; what does not come is `silence`. */
  readonly waitMs: number;
}

type Watched = 'alive' | number;

/** What a connection is told to become at once, so that nothing comes unobserved. */
export class RawPeer {
  readonly door: Door;
  readonly frames: Frame[] = [];
  /** Answers by stream: of each header block the lines. */
  readonly heads = new Map<number, Line[][]>();
  /** Payload bytes by stream. */
  readonly received = new Map<number, number>();
  isClosed = false;
  readonly #socket: net.Socket;
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  #block: { stream: number; parts: Buffer[] } | null = null;
  #waiting: (() => void)[] = [];
  #pings = 0;

  constructor(socket: net.Socket, door: Door) {
    this.#socket = socket;
    this.door = door;
    socket.on('error', () => this.#close());
    socket.on('close', () => this.#close());
    socket.on('end', () => this.#close());
    socket.on('data', (bytes: Buffer) => {
      for (const frame of this.#reader.push(bytes)) this.#take(frame);
      this.#wake();
    });
  }

  /** Begins the connection: preface, SETTINGS of ours, and theirs acknowledged. */
  async handshake(...pairs: readonly (readonly [number, number])[]): Promise<void> {
    this.send(PREFACE, settings(...pairs));
    await this.until(() => this.frames.some(isSettings));
    this.send(settingsAck());
  }

  send(...bytes: readonly Buffer[]): void {
    if (!this.isClosed && bytes.length > 0) this.#socket.write(Buffer.concat(bytes));
  }

  /** Sends, and waits until the system took it or the connection ended; for floods. */
  async flush(...bytes: readonly Buffer[]): Promise<void> {
    if (this.isClosed) return;
    const isTaken = this.#socket.write(Buffer.concat(bytes));
    if (isTaken) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
      if (this.isClosed) done();
    });
  }

  /** Stops reading, as a client does that wants the server to keep what it has. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The server has ended the connection, or is about to: GOAWAY with an error. */
  get isRefused(): boolean {
    return this.#failure() !== null;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Resolves once the condition holds, the connection is closed, or the time is over; true where it holds. */
  async until(condition: () => boolean): Promise<boolean> {
    const over = Date.now() + this.door.waitMs;
    while (!condition()) {
      const left = over - Date.now();
      if (this.isClosed || left <= 0) return condition();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return true;
  }

  /** The final status of a stream; null where none came. */
  statusOf(stream: number): string | null {
    for (const lines of this.heads.get(stream) ?? []) {
      const status = lines.find(([name]) => name === ':status')?.[1] ?? '';
      if (!status.startsWith('1')) return status;
    }
    return null;
  }

  /** The stream was ended by the peer's END_STREAM. */
  isEnded(stream: number): boolean {
    return this.frames.some(
      (frame) =>
        frame.stream === stream &&
        (frame.type === TYPE.DATA || frame.type === TYPE.HEADERS) &&
        (frame.flags & FLAG.END_STREAM) !== 0,
    );
  }

  /** The error code of a RST_STREAM on this stream, or on any (null); null where none came. */
  resetOf(stream: number | null): string | null {
    const found = this.frames.find(
      (frame) => frame.type === TYPE.RST_STREAM && (stream === null || frame.stream === stream),
    );
    return found === undefined ? null : codeName(found.payload.readUInt32BE(0));
  }

  /** The error code of a GOAWAY that is more than a farewell, else of the farewell; null where none came. */
  goawayCode(): string | null {
    const codes = this.frames
      .filter(({ type }) => type === TYPE.GOAWAY)
      .map(({ payload }) => codeName(payload.readUInt32BE(4)));
    return codes.find((code) => code !== 'NO_ERROR') ?? codes[0] ?? null;
  }

  /** Waits for what becomes of the connection (a PING tells that it lives) or of a stream. */
  async outcome(watched: Watched): Promise<string> {
    if (watched === 'alive') return this.#life();
    await this.until(() => this.#failure() !== null || this.#streamOutcome(watched) !== null);
    return this.#failure() ?? this.#streamOutcome(watched) ?? this.#ending();
  }

  /** Two round trips: what the first one's flush left behind has come with the second. */
  async #life(): Promise<string> {
    for (let round = 0; round < 2; round += 1) {
      const opaque = `ping${this.#pings}`.padEnd(8, '.');
      this.#pings += 1;
      this.send(ping(opaque));
      const isAnswer = (frame: Frame): boolean =>
        frame.type === TYPE.PING && frame.flags === FLAG.ACK && frame.payload.toString() === opaque;
      await this.until(() => this.#failure() !== null || this.frames.some(isAnswer));
      if (this.#failure() !== null || !this.frames.some(isAnswer)) {
        return this.#failure() ?? this.#ending();
      }
    }
    const code = this.resetOf(null);
    return code === null ? 'alive' : `RST_STREAM ${code}`;
  }

  #failure(): string | null {
    const code = this.goawayCode();
    return code === null || code === 'NO_ERROR' ? null : `GOAWAY ${code}`;
  }

  #streamOutcome(stream: number): string | null {
    const status = this.statusOf(stream);
    if (status !== null) return status;
    const code = this.resetOf(stream);
    return code === null ? null : `RST_STREAM ${code}`;
  }

  #ending(): string {
    if (!this.isClosed) return 'silence';
    return this.goawayCode() === null ? 'closed' : 'GOAWAY NO_ERROR';
  }

  #take(frame: Frame): void {
    this.frames.push(frame);
    if (frame.type === TYPE.DATA) {
      const before = this.received.get(frame.stream) ?? 0;
      this.received.set(frame.stream, before + frame.payload.length);
    }
    if (frame.type === TYPE.HEADERS) {
      this.#block = { stream: frame.stream, parts: [blockOf(frame)] };
    } else if (frame.type === TYPE.CONTINUATION) {
      this.#block?.parts.push(frame.payload);
    } else return;
    if (this.#block === null || (frame.flags & FLAG.END_HEADERS) === 0) return;
    const { stream, parts } = this.#block;
    const lines = this.#decoder.decode(Buffer.concat(parts));
    this.heads.set(stream, [...(this.heads.get(stream) ?? []), lines]);
  }

  #close(): void {
    this.isClosed = true;
    this.#socket.destroy();
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

function isSettings({ type, flags }: Frame): boolean {
  return type === TYPE.SETTINGS && (flags & FLAG.ACK) === 0;
}

/** Opens a connection to a door; the HTTP/2 on it is still to begin. Rejects where there is none. */
export async function connectPeer(door: Door): Promise<RawPeer> {
  const raw = net.connect({ host: door.host, port: door.port, noDelay: true });
  await settle(raw, 'connect');
  if (door.tls === undefined) return new RawPeer(raw, door);
  const { ca, servername, tunnel } = door.tls;
  if (tunnel) await openTunnel(raw, `${servername}:443`);
  const socket = tls.connect({ socket: raw, ca, servername, ALPNProtocols: ['h2'] });
  raw.on('error', () => socket.destroy());
  await settle(socket, 'secureConnect');
  if (socket.alpnProtocol !== 'h2') throw new Error('the server does not speak HTTP/2');
  return new RawPeer(socket, door);
}

async function openTunnel(socket: net.Socket, target: string): Promise<void> {
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  await settle(socket, 'readable');
  const answer = socket.read() as Buffer | null;
  if (answer?.toString('latin1').startsWith('HTTP/1.1 200') !== true) {
    throw new Error('no tunnel');
  }
}

function settle(socket: net.Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`closed before ${event}`));
    socket.on('error', reject);
    socket.once('close', fail);
    socket.once(event, () => {
      socket.off('error', reject);
      socket.off('close', fail);
      // Whoever comes next listens from the next turn on.
      socket.on('error', () => {});
      resolve();
    });
  });
}
