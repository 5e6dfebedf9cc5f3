/**
 * The clients of `verify isolation`. Connections are kept and used by both logins in turn, as those of a
 * person with two accounts would be; some are nothing but bytes.
 */
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { ISOLATION_ANSWER_MS_MAX } from '../../../core/limits.ts';
import { CliError } from '../../failure.ts';
import { openTunnel } from '../../tunnel.ts';
import type { Answer, Exchange, Way } from './exchange.ts';

export interface ClientOptions {
  /** Without a token. */
  readonly proxy: URL;
  readonly token: string;
  /** PEM to trust inside of tunnels. */
  readonly ca: string;
}

export interface Clients {
  /**
   * Sends it and waits for the end of its answer, however it ends.
   *
   * @throws CliError where nothing happens for ISOLATION_ANSWER_MS_MAX
   */
  send(way: Way, exchange: Exchange): Promise<Answer>;
  close(): void;
}

const API_HOST = 'api.anthropic.com';
const AT_ONCE = 8;
const ERROR_FIELD = 'x-lanekeeper-error';
/** Time for a request to go out, ms. */
const LEAVE_MS = 25;

/** Makes them; they connect when they are first needed. */
export function createClients({ proxy, token, ca }: ClientOptions): Clients {
  const login = new URL(proxy);
  login.username = 'x';
  login.password = token;
  const agents = {
    gateway: new http.Agent({ keepAlive: true, maxSockets: AT_ONCE }),
    connect: new TunnelAgent(login, ca),
  };
  const api = new URL(`http://${API_HOST}`);
  const sessions = {
    h2: sessionKeeper(async () => http2.connect(proxy)),
    'connect-h2': sessionKeeper(async () => {
      const secure = await openTunnel(login, API_HOST, ca, ['h2']);
      return http2.connect(`https://${API_HOST}`, { createConnection: () => secure });
    }),
  };
  return {
    send: async (way, exchange) => {
      if (way === 'gateway') return overHttp1(agents.gateway, proxy, exchange);
      if (way === 'connect') return overHttp1(agents.connect, api, exchange);
      return overHttp2(await sessions[way].open(), exchange);
    },
    close: () => {
      for (const agent of Object.values(agents)) agent.destroy();
      for (const session of Object.values(sessions)) session.close();
    },
  };
}

/** Connections are tunnels, with TLS inside. */
class TunnelAgent extends http.Agent {
  readonly #proxy: URL;
  readonly #ca: string;
  constructor(proxy: URL, ca: string) {
    super({ keepAlive: true, maxSockets: AT_ONCE });
    this.#proxy = proxy;
    this.#ca = ca;
  }

  override createConnection(
    _options: http.ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    openTunnel(this.#proxy, API_HOST, this.#ca).then(
      (socket) => callback?.(null, socket),
      (error: Error) => callback?.(error, new net.Socket()),
    );
  }
}

type Session = http2.ClientHttp2Session;

interface SessionKeeper {
  /** The session, a new one where the former is closed. */
  open(): Promise<Session>;
  close(): void;
}

function sessionKeeper(connect: () => Promise<Session>): SessionKeeper {
  let session: Promise<Session> | null = null;
  const renew = (): Promise<Session> => {
    session = connect().then((opened) => {
      opened.on('error', () => undefined);
      return opened;
    });
    return session;
  };
  return {
    open: async () => {
      const former = await (session ?? renew());
      return former.closed || former.destroyed ? renew() : former;
    },
    close: () => void session?.then((opened) => opened.destroy()).catch(() => undefined),
  };
}

function overHttp1(agent: http.Agent, to: URL, exchange: Exchange): Promise<Answer> {
  const { method, path, headers, body } = exchange.request;
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let seen: Omit<Answer, 'bytes'> = { status: null, error: null };
    const request = http.request({
      agent,
      host: to.hostname,
      port: to.port,
      method,
      path,
      headers: {
        ...headers,
        host: to.host,
        ...(body.length === 0 || exchange.chunked ? {} : { 'content-length': body.length }),
      },
      timeout: ISOLATION_ANSWER_MS_MAX,
    });
    const settle = (): void => resolve({ ...seen, bytes: Buffer.concat(pieces) });
    request.on('timeout', () => {
      reject(late(exchange.shape));
      request.destroy();
    });
    request.on('error', settle);
    request.on('close', settle);
    request.once('response', (response) => {
      const { statusCode = null, rawHeaders } = response;
      seen = { status: statusCode, error: errorIn(response.headers[ERROR_FIELD]) };
      pieces.push(headOf(rawHeaders));
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', settle);
      response.once('end', settle);
      if (exchange.leaves === 'answered') request.destroy();
    });
    request.end(body, () => {
      if (exchange.leaves === 'sent') setTimeout(() => request.destroy(), LEAVE_MS);
    });
  });
}

function overHttp2(session: Session, exchange: Exchange): Promise<Answer> {
  const { method, path, headers, body } = exchange.request;
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let seen: Omit<Answer, 'bytes'> = { status: null, error: null };
    const stream = session.request({ ':method': method, ':path': path, ...headers });
    const leave = (): void => stream.close(http2.constants.NGHTTP2_CANCEL);
    stream.setTimeout(ISOLATION_ANSWER_MS_MAX, () => {
      reject(late(exchange.shape));
      leave();
    });
    stream.on('error', () => undefined);
    stream.once('response', (given, _flags, raw?: unknown) => {
      seen = { status: given[':status'] ?? null, error: errorIn(given[ERROR_FIELD]) };
      pieces.push(headOf(Array.isArray(raw) ? raw.map(String) : Object.entries(given).flat()));
      if (exchange.leaves === 'answered') leave();
    });
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.once('close', () => resolve({ ...seen, bytes: Buffer.concat(pieces) }));
    stream.end(body, () => {
      if (exchange.leaves === 'sent') setTimeout(leave, LEAVE_MS);
    });
  });
}

function late(shape: string): CliError {
  return new CliError(`no answer in time: ${shape}`);
}

function errorIn(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Names and values in turn, as lines. */
function headOf(raw: readonly unknown[]): Buffer {
  const lines: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`);
  return Buffer.from(`${lines.join('\n')}\n\n`, 'latin1');
}

/**
 * Writes these bytes and reads until the proxy ends the connection.
 *
 * @param shape by which it is named where no end comes
 * @param tunnel the bytes go into a tunnel to the intercepted host, under TLS
 * @param halfClose nothing follows the bytes
 */
export async function overBytes(
  { proxy, token, ca }: ClientOptions,
  shape: string,
  bytes: string | Buffer,
  { tunnel = false, halfClose = false } = {},
): Promise<Buffer> {
  const login = new URL(proxy);
  login.username = 'x';
  login.password = token;
  const socket = tunnel
    ? await openTunnel(login, API_HOST, ca)
    : net.connect({ host: proxy.hostname, port: Number(proxy.port) });
  const pieces: Buffer[] = [];
  const closed = new Promise<void>((resolve, reject) => {
    // A reset is an end, too.
    socket.on('error', () => resolve());
    socket.once('close', () => resolve());
    socket.once('end', () => resolve());
    socket.setTimeout(ISOLATION_ANSWER_MS_MAX, () => reject(late(shape)));
  });
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  socket.write(bytes);
  if (halfClose) socket.end();
  try {
    await closed;
  } finally {
    socket.destroy();
  }
  return Buffer.concat(pieces);
}
