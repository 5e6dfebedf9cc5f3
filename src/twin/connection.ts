/**
 * One TLS connection of a client: how it is opened (perhaps slowly), kept, let go when it is idle,
 * and broken off.
 */
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { ConnectionVerdict } from './faults.ts';
import type { BreakOff } from './types.ts';

/** A connection whose handshake is done. */
export interface Connection {
  /** Counts up from 1. */
  readonly id: number;
  readonly socket: TLSSocket;
  readonly protocol: 'h1' | 'h2';
  /** Its handshake was delayed and no request has been told so yet; asking clears it. */
  takeSlow(): boolean;
  /** An exchange begins. */
  busy(): void;
  /** An exchange has ended; with the last one the idle time begins. */
  rest(): void;
  /** The HTTP/2 session on it. */
  attach(session: ServerHttp2Session): void;
  /** Breaks the connection, or one of its HTTP/2 streams. */
  breakOff(how: Exclude<BreakOff, { how: 'outage' }>, stream: ServerHttp2Stream | null): void;
  /** Says that it ends with its last answer. */
  farewell(): void;
}

/** What opening takes. */
export interface OpenOptions {
  readonly id: () => number;
  readonly context: SecureContext;
  readonly verdict: ConnectionVerdict;
  readonly onOpen: (connection: Connection) => void;
}

const ALPN = ['h2', 'http/1.1'];

/** Secures an accepted socket; `onOpen` is called once the handshake is done. */
export function openConnection(tcp: Socket, options: OpenOptions): void {
  const { verdict } = options;
  if (verdict.tlsDelayMs === null) {
    secure(tcp, options);
    return;
  }
  // Nobody reads meanwhile: the first flight of the client waits in the kernel.
  const timer = setTimeout(() => secure(tcp, options), verdict.tlsDelayMs);
  tcp.once('close', () => clearTimeout(timer));
}

function secure(tcp: Socket, options: OpenOptions): void {
  const socket = new TLSSocket(tcp, {
    isServer: true,
    secureContext: options.context,
    ALPNProtocols: ALPN,
  });
  socket.on('error', ignore);
  socket.once('secure', () => options.onOpen(connectionOf(tcp, socket, options)));
}

/** A peer that resets is an everyday event for an upstream: the exchange sees `close`. */
export function ignore(): void {}

function connectionOf(tcp: Socket, socket: TLSSocket, options: OpenOptions): Connection {
  const { idle, tlsDelayMs } = options.verdict;
  let slow = tlsDelayMs !== null;
  let open = 0;
  let timer: NodeJS.Timeout | undefined;
  let session: ServerHttp2Session | null = null;

  const letGo = (): void => {
    if (idle?.how === 'reset') tcp.resetAndDestroy();
    else if (session !== null) session.close();
    else {
      // Once it is decided, no request is read any more, even one that is here already.
      socket.pause();
      socket.destroySoon();
    }
  };
  const wait = (): void => {
    if (idle !== null && !socket.destroyed) timer = setTimeout(letGo, idle.ms);
  };
  socket.once('close', () => clearTimeout(timer));
  wait();

  return {
    id: options.id(),
    socket,
    protocol: socket.alpnProtocol === 'h2' ? 'h2' : 'h1',
    takeSlow: () => {
      const was = slow;
      slow = false;
      return was;
    },
    busy: () => {
      open += 1;
      clearTimeout(timer);
    },
    rest: () => {
      open -= 1;
      if (open === 0) wait();
    },
    attach: (attached) => {
      session = attached;
    },
    breakOff: ({ how }, stream) => {
      switch (how) {
        case 'reset':
          if (stream === null) tcp.resetAndDestroy();
          else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
          break;
        case 'refused_stream':
          stream?.close(constants.NGHTTP2_REFUSED_STREAM);
          break;
        case 'goaway':
          sendAway(session, stream);
          break;
        case 'fin':
          socket.end();
          break;
      }
    },
    farewell: () => session?.close(),
  };
}

/**
 * GOAWAY with NO_ERROR whose last stream is the one before (RFC 9113 section 6.8). node:http2 can not
 * name 0, so the first stream of a session is refused by itself, which says the same of it.
 */
function sendAway(session: ServerHttp2Session | null, stream: ServerHttp2Stream | null): void {
  const before = (stream?.id ?? 1) - 2;
  if (before > 0) session?.goaway(constants.NGHTTP2_NO_ERROR, before);
  // GOAWAY goes first, or a client might try again on this very session.
  session?.close();
  stream?.close(constants.NGHTTP2_REFUSED_STREAM);
}
