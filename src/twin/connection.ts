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
  /** It has said that it takes no more requests: an HTTP/2 stream that comes now is not processed. */
  readonly leaving: boolean;
  /**
   * An exchange begins.
   *
   * @param stream its id with HTTP/2, else 0
   */
  busy(stream: number): void;
  /** An exchange has ended; with the last one the idle time begins. */
  rest(): void;
  /** The HTTP/2 session on it. */
  attach(session: ServerHttp2Session): void;
  /**
   * Breaks the connection, or one of its HTTP/2 streams.
   *
   * @returns how it was done: the FIN of a connection that others use too would befall them, and is a
   *   reset of the one stream instead
   */
  breakOff(how: ConnectionBreak, stream: ServerHttp2Stream | null): BreakOff['how'];
  /** Says that it ends with its last answer. */
  farewell(): void;
}

/** How one connection is broken off. */
export type ConnectionBreak = Exclude<BreakOff, { how: 'outage' }>;

/** What opening takes. */
export interface OpenOptions {
  readonly id: () => number;
  readonly context: SecureContext;
  readonly verdict: ConnectionVerdict;
  readonly onOpen: (connection: Connection) => void;
}

const ALPN = ['h2', 'http/1.1'];
/** So long the last frames of an HTTP/2 connection have to leave before its FIN. */
const LAST_FRAMES_MS = 20;

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
  let lastStream = 0;
  let leaving = false;
  let endsItself = false;
  let restedAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let session: ServerHttp2Session | null = null;

  const letGo = (): void => {
    if (idle?.how === 'reset') tcp.resetAndDestroy();
    else if (session !== null) leave();
    else {
      // Once it is decided, no request is read any more, even one that is here already.
      socket.pause();
      socket.destroySoon();
    }
  };
  const leave = (): void => {
    if (leaving) return;
    leaving = true;
    session?.close();
  };
  /**
   * GOAWAY with NO_ERROR whose last stream is the one before (RFC 9113 section 6.8), then FIN behind the
   * last answer; node's own way to close would send another GOAWAY, of a higher stream. It can not name
   * 0, so the first stream of a session is refused by itself, which says the same of it; so is one with
   * streams above it, since those are being answered.
   */
  const sendAway = (stream: ServerHttp2Stream | null): void => {
    const id = stream?.id ?? 1;
    // GOAWAY goes first, or a client might try again on this very session.
    if (!leaving && id === lastStream && id > 1) {
      leaving = true;
      endsItself = true;
      session?.goaway(constants.NGHTTP2_NO_ERROR, id - 2);
    } else {
      leave();
    }
    stream?.close(constants.NGHTTP2_REFUSED_STREAM);
  };
  const isAlone = (): boolean =>
    session === null || (open === 1 && performance.now() - restedAt > LAST_FRAMES_MS);
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
    get leaving() {
      return leaving;
    },
    busy: (id) => {
      open += 1;
      lastStream = Math.max(lastStream, id);
      clearTimeout(timer);
    },
    rest: () => {
      open -= 1;
      restedAt = performance.now();
      if (open > 0) return;
      if (endsItself) setTimeout(() => socket.end(), LAST_FRAMES_MS);
      else wait();
    },
    attach: (attached) => {
      session = attached;
    },
    breakOff: ({ how }, stream) => {
      switch (how) {
        case 'reset':
          reset(tcp, stream);
          return how;
        case 'refused_stream':
          stream?.close(constants.NGHTTP2_REFUSED_STREAM);
          return how;
        case 'goaway':
          sendAway(stream);
          return how;
        case 'fin':
          if (isAlone()) {
            leaving = true;
            socket.end();
            return how;
          }
          reset(tcp, stream);
          return 'reset';
      }
    },
    farewell: leave,
  };
}

function reset(tcp: Socket, stream: ServerHttp2Stream | null): void {
  if (stream === null) tcp.resetAndDestroy();
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
}
