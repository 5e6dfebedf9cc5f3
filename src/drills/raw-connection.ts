/**
 * One HTTP/1.1 connection of a drill's client: CONNECT and TLS, or plain to the gateway. It exists
 * beside Node's own client because a load that finds out what a proxy can do must cost less than the
 * proxy: an answer costs its hash and little more.
 *
 * It reads with the program's own codec, which is strict. One exchange at a time, no pipelining.
 */
import net from 'node:net';
import tls from 'node:tls';
import { createResponseParser } from '../core/http1/response-parser.ts';
import type { ResponseEvents } from '../core/http1/types.ts';
import { createListener, type Listener } from './listener.ts';
import { API_HOST, proxyLogin, wireOf } from './request-text.ts';
import type { Access, DrillRequest, FailureKind, Heard } from './types.ts';

/** A connection could not be made. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly kind: FailureKind;
  constructor(kind: FailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface RawConnection {
  /** May serve another exchange. */
  readonly usable: boolean;
  ask(request: DrillRequest): Promise<Heard>;
  /** Ends the connection; an exchange under way ends with that failure. */
  cut(failure: FailureKind): void;
}

/**
 * Connects.
 *
 * @param secure trust of the connection inside the tunnel; null for the gateway
 * @throws ConnectionError
 */
export async function openConnection(
  access: Access,
  secure: tls.SecureContext | null,
): Promise<RawConnection> {
  const socket = await dial(access);
  if (secure === null) return connectionOn(socket, access);
  try {
    await requestTunnel(socket, access);
    return connectionOn(await secureSocket(socket, secure, access.stallMs), access);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function dial({ url, stallMs }: Access): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const socket = net.connect({ host, port: Number(url.port || 80), noDelay: true });
    const refuse = (why: string): void => {
      socket.destroy();
      reject(new ConnectionError('connect', why));
    };
    socket.on('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message));
    const onTimeout = (): void => refuse('no connection in time');
    socket.setTimeout(stallMs, onTimeout);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('timeout', onTimeout);
      resolve(socket);
    });
  });
}

/** CONNECT, and nothing behind its answer: the proxy speaks second in a TLS handshake. */
function requestTunnel(socket: net.Socket, { url, stallMs }: Access): Promise<void> {
  const login = proxyLogin(url);
  const field = login === null ? '' : `proxy-authorization: ${login}\r\n`;
  return new Promise((resolve, reject) => {
    const onData = (bytes: Buffer): void => parser.push(bytes);
    const onClose = (): void => settle('closed before CONNECT was answered');
    const onTimeout = (): void => settle('CONNECT was not answered in time');
    const settle = (why: string | null): void => {
      socket.setTimeout(0);
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.off('timeout', onTimeout);
      if (why === null) resolve();
      else reject(new ConnectionError('connect', why));
    };
    const parser = createResponseParser({
      onInterim: () => undefined,
      onHead: ({ status }) => settle(status < 300 ? null : `CONNECT was answered ${status}`),
      onBody: () => undefined,
      onEnd: () => undefined,
      onError: ({ detail }) => settle(detail),
    });
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.setTimeout(stallMs, onTimeout);
    parser.expect('CONNECT');
    socket.write(`CONNECT ${API_HOST}:443 HTTP/1.1\r\nhost: ${API_HOST}:443\r\n${field}\r\n`);
  });
}

function secureSocket(
  socket: net.Socket,
  secureContext: tls.SecureContext,
  stallMs: number,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const secure = tls.connect({ socket, servername: API_HOST, secureContext });
    const refuse = (why: string): void => {
      secure.destroy();
      reject(new ConnectionError('tls', why));
    };
    const onClose = (): void => refuse('closed within the handshake');
    const onTimeout = (): void => refuse('no handshake in time');
    secure.on('error', (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message));
    secure.once('close', onClose);
    secure.setTimeout(stallMs, onTimeout);
    secure.once('secureConnect', () => {
      secure.setTimeout(0);
      secure.off('close', onClose);
      secure.off('timeout', onTimeout);
      resolve(secure);
    });
  });
}

/** The exchange that a connection carries. */
interface UnderWay {
  readonly listener: Listener;
  readonly resolve: (heard: Heard) => void;
}

function connectionOn(socket: net.Socket, access: Access): RawConnection {
  let current: UnderWay | null = null;
  let usable = true;
  let keepAlive = true;
  const settle = (failure: FailureKind | null): void => {
    const over = current;
    current = null;
    if (failure !== null || !keepAlive) {
      usable = false;
      socket.destroy();
    }
    over?.resolve(over.listener.done(failure, true));
  };
  const events: ResponseEvents = {
    onInterim: () => undefined,
    onHead: (head) => {
      keepAlive = head.keepAlive;
      current?.listener.head(head.status, head.fields);
    },
    onBody: (wire, data) => {
      if (data === null) current?.listener.payload(wire);
      else for (const slice of data) current?.listener.payload(slice);
    },
    onEnd: () => settle(null),
    onError: ({ code }) => settle(code === 'truncated' ? 'cut' : 'protocol'),
  };
  const parser = createResponseParser(events);
  let began = false;
  socket.on('data', (bytes: Buffer) => {
    began = true;
    if (usable) parser.push(bytes);
  });
  // An end in the middle is a cut; one before the first byte is a connection that went away.
  socket.on('end', () => {
    usable = false;
    if (current === null) return;
    if (began) parser.finish();
    else settle('reset');
  });
  socket.on('error', () => settle('reset'));
  socket.on('close', () => {
    usable = false;
    settle('reset');
  });
  socket.on('timeout', () => {
    if (current !== null) settle('stall');
  });
  socket.setTimeout(access.stallMs);
  return {
    get usable() {
      return usable && current === null && parser.idle && !socket.destroyed;
    },
    ask: (request) =>
      new Promise((resolve) => {
        current = { listener: createListener(request.stream), resolve };
        began = false;
        parser.expect('POST');
        socket.write(wireOf(access, request));
      }),
    cut: (failure) => {
      usable = false;
      settle(failure);
      socket.destroy();
    },
  };
}
