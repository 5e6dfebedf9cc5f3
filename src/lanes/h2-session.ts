/**
 * One HTTP/2 session with an upstream: how many streams it takes, when it is drained, and why it ended.
 *
 * Before the peer's SETTINGS are here one stream goes out on trust and further ones wait: a peer that
 * allows fewer would refuse them (RFC 9113 section 5.1.2). An idle session is pinged, so that one
 * whose peer vanished is found before it is used, and closed once it was idle too long.
 */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { Socket } from 'node:net';
import {
  FIELDS_MAX,
  H2_SESSION_WINDOW_BYTES,
  H2_WINDOW_BYTES,
  HEAD_BYTES_MAX,
} from '../core/limits.ts';
import type { OutboundEvents } from '../core/ports.ts';
import { boundFarewell } from '../sockets/h2-farewell.ts';
import { H2Exchange } from './h2-exchange.ts';
import { bodyBytesOf, INITIAL_WINDOW_BYTES } from './h2-window.ts';
import type { PreparedRequest } from './lane.ts';
import type { Upstream } from './upstream.ts';

/** nghttp2's memory for one session, MB: frames and compression tables of all its streams. */
const SESSION_MEMORY_MB_MAX = 64;

/** What a client repeats is the upstream's to judge, as over HTTP/1.1. (The types have it for servers only.) */
const LENIENT = { strictSingleValueFields: false };

export interface H2Owner {
  /** It may take more streams than before. */
  onRoom(session: H2Session): void;
  /** It takes no more streams; open ones go on. Called once. */
  onDraining(session: H2Session): void;
  /** It takes no more streams and the last open one has ended. Called once, never before `onDraining`. */
  onEmpty(session: H2Session): void;
}

export class H2Session {
  readonly upstream: Upstream;
  readonly session: ClientHttp2Session;
  /** Streams that are open. */
  streams = 0;
  /** Bytes of all bodies that the window has not let out to their end. */
  owed = 0;
  /** Why the connection broke, or null. */
  cause: Error | null = null;
  /** The connection ended: FIN, error, or by us. */
  ended = false;
  /** From a GOAWAY: streams above were not processed (RFC 9113 section 6.8). */
  lastStreamId = Number.POSITIVE_INFINITY;
  readonly #owner: H2Owner;
  #exchanges = 0;
  #draining = false;
  #peerStreamsMax: number | null = null;
  #window = INITIAL_WINDOW_BYTES;
  #idleSince = performance.now();
  #pingedAt = 0;
  #unanswered = false;
  readonly #ticker: NodeJS.Timeout;

  constructor(socket: Socket, upstream: Upstream, owner: H2Owner) {
    this.upstream = upstream;
    this.#owner = owner;
    const session = connect(`https://${upstream.authority}`, {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: H2_WINDOW_BYTES,
        maxHeaderListSize: HEAD_BYTES_MAX,
      },
      maxHeaderListPairs: FIELDS_MAX,
      ...LENIENT,
      maxSessionMemory: SESSION_MEMORY_MB_MAX,
    });
    boundFarewell(session, socket, () => {
      this.ended = true;
      this.#drain();
    });
    session.on('error', (error) => {
      this.cause ??= error;
      this.#leftByPeer();
    });
    session.on('close', () => {
      this.ended = true;
      this.#leftByPeer();
    });
    // node:http2 leaves a half-open socket as it is: after a FIN no frame can come any more.
    socket.once('end', () => {
      this.ended = true;
      socket.destroy();
    });
    socket.once('close', () => {
      this.ended = true;
    });
    session.once('connect', () => session.setLocalWindowSize(H2_SESSION_WINDOW_BYTES));
    session.on('goaway', (_code, lastStreamId) => {
      this.lastStreamId = Math.min(this.lastStreamId, lastStreamId ?? 0);
      this.#leftByPeer();
    });
    session.on('remoteSettings', (settings) => {
      this.#peerStreamsMax = settings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
      owner.onRoom(this);
    });
    this.session = session;
    session.unref();
    const { idleMs, h2PingMs } = upstream.limits;
    this.#ticker = setInterval(tick, Math.min(idleMs, h2PingMs) / 2, this).unref();
  }

  get draining(): boolean {
    return this.#draining || this.session.closed || this.session.destroyed;
  }

  /** How long it has been idle since it served, ms; 0 while it is not. */
  get restedMs(): number {
    return this.streams > 0 || this.#exchanges === 0 ? 0 : performance.now() - this.#idleSince;
  }

  /** Streams that may be opened now. */
  get room(): number {
    if (this.draining || this.restedMs >= this.upstream.idle.ms) return 0;
    // The first stream goes out on trust.
    const peerMax = this.#peerStreamsMax ?? 1;
    return Math.max(0, Math.min(peerMax, this.upstream.limits.h2StreamsMax) - this.streams);
  }

  /** Settings are still to come, or allow no stream at all: more room may follow without a new session. */
  get mayGrow(): boolean {
    if (this.draining) return false;
    return this.#peerStreamsMax === null || this.#peerStreamsMax === 0;
  }

  /** Bytes that it lets out at once while nothing else is under way. */
  get window(): number {
    // Never more than the whole, which it is again whenever the peer has caught up.
    this.#window = Math.max(this.#window, this.session.state.remoteWindowSize ?? 0);
    return this.#window;
  }

  /** The largest body that it lets out at once, of one stream. */
  get letsOut(): number {
    const stream = this.session.remoteSettings?.initialWindowSize ?? INITIAL_WINDOW_BYTES;
    return Math.min(stream, this.window);
  }

  /** A body of that length is held up by no other; alone it may still be larger than the window. */
  suits(bodyBytes: number): boolean {
    if (this.owed === 0 || bodyBytes === 0) return true;
    const together = this.owed + bodyBytes;
    // Asking node:http2 costs more than what was seen before.
    return together <= this.#window || together <= this.window;
  }

  /** Opens a stream. There must be room. */
  start(request: PreparedRequest, events: OutboundEvents): H2Exchange {
    assert(this.room > 0, 'the session takes no more streams');
    const restedMs = this.#exchanges === 0 ? null : this.restedMs;
    if (this.streams === 0) this.session.ref();
    this.streams += 1;
    this.#exchanges += 1;
    const bodyBytes = bodyBytesOf(request);
    this.owed += bodyBytes;
    const exchange = new H2Exchange(this, request, events, restedMs, bodyBytes);
    exchange.begin();
    return exchange;
  }

  /** A stream has sent its body. */
  sent(bodyBytes: number): void {
    this.owed -= bodyBytes;
    assert(this.owed >= 0, 'a body is counted once');
    if (!this.draining) this.#owner.onRoom(this);
  }

  /** A stream is gone. */
  leave(): void {
    this.streams -= 1;
    assert(this.streams >= 0, 'a stream is counted once');
    if (this.streams === 0) {
      this.#idleSince = performance.now();
      if (!this.session.destroyed) this.session.unref();
    }
    if (!this.draining) this.#owner.onRoom(this);
    else if (this.streams === 0) this.#owner.onEmpty(this);
  }

  /** Takes no more streams and ends when the open ones have ended. */
  close(): void {
    this.#drain();
    if (!this.session.closed && !this.session.destroyed) this.session.close();
  }

  /** Takes no more streams; at once where none is open, since nobody may be there to end it with. */
  retire(): void {
    if (this.streams > 0) {
      this.close();
      return;
    }
    this.#drain();
    this.session.destroy();
  }

  /** For the timer only: ages, and pings while idle. */
  tick(): void {
    const { session } = this;
    const { h2PingMs } = this.upstream.limits;
    if (this.streams > 0 || this.draining) return;
    const now = performance.now();
    if (now - this.#idleSince >= this.upstream.idle.ms) {
      this.close();
    } else if (this.#unanswered) {
      this.#drain();
      session.destroy(undefined, constants.NGHTTP2_NO_ERROR);
    } else if (now - Math.max(this.#idleSince, this.#pingedAt) >= h2PingMs) {
      this.#pingedAt = now;
      this.#unanswered = session.ping((error) => {
        if (error === null) this.#unanswered = false;
      });
    }
  }

  /** The peer ended it, which tells something where nobody was using it; or it follows from our own end. */
  #leftByPeer(): void {
    if (!this.#draining) this.upstream.idle.learn(this.restedMs);
    this.#drain();
  }

  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    clearInterval(this.#ticker);
    this.#owner.onDraining(this);
  }
}

function tick(session: H2Session): void {
  session.tick();
}
