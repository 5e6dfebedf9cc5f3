/**
 * Serves HTTP/2 on one connection: inside TLS by ALPN, or on the plain port with prior knowledge (RFC
 * 9113 section 3.3). No push, no CONNECT, no extended CONNECT (RFC 8441).
 */
import assert from 'node:assert';
import http2 from 'node:http2';
import type net from 'node:net';
import {
  DRAIN_IDLE_MS,
  FIELDS_MAX,
  H2_SESSION_WINDOW_BYTES,
  H2_STREAMS_PER_SESSION_MAX,
  H2_WINDOW_BYTES,
  HEAD_BYTES_MAX,
} from '../core/limits.ts';
import type { RequestHead } from '../core/message.ts';
import { boundFarewell } from '../sockets/h2-farewell.ts';
import { judge, type Scope, type Verdict } from './admission.ts';
import type { ConnectionContext } from './context.ts';
import { Http2Exchange } from './h2-exchange.ts';
import { requestFromHttp2 } from './h2-head.ts';
import { type HttpVerdict, serve } from './serve.ts';

/** Highest stream id: a GOAWAY that gives up no stream yet (RFC 9113 section 6.8). */
const STREAM_ID_MAX = 2 ** 31 - 1;

/** Begins a session on a socket that has its `error` listener and no listener for data. */
export function serveHttp2(socket: net.Socket, scope: Scope, context: ConnectionContext): void {
  const session = http2.performServerHandshake(socket, {
    maxHeaderListPairs: FIELDS_MAX,
    settings: {
      enablePush: false,
      initialWindowSize: H2_WINDOW_BYTES,
      maxConcurrentStreams: H2_STREAMS_PER_SESSION_MAX,
      maxHeaderListSize: HEAD_BYTES_MAX,
    },
  });
  session.on('error', () => socket.destroy());
  boundFarewell(session, socket, () => undefined);
  // A client that can send nothing any more can not open a window either: it has left. The session
  // does not see it by itself on a half-open socket.
  socket.once('end', () => socket.destroy());
  session.on('close', () => socket.destroySoon());
  session.on('connect', () => session.setLocalWindowSize(H2_SESSION_WINDOW_BYTES));
  session.on('stream', (stream, _headers, flags, raw) => {
    stream.on('error', () => undefined);
    const isEnd = (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const head = requestFromHttp2(raw, isEnd);
    const isMalformed = 'malformed' in head;
    const verdict: Verdict = isMalformed
      ? { act: 'refuse', code: 'bad_request', detail: head.malformed, extra: [] }
      : judge(head, scope, context.settings);
    // HTTP/2 is never given a tunnel: CONNECT is refused by its version.
    assert(verdict.act !== 'tunnel', 'no tunnels over HTTP/2');
    begin(stream, isMalformed ? MALFORMED : head, verdict, context);
  });
  // First the intention, then the end: requests that are on their way still find us.
  const leave = (): void => {
    if (session.destroyed) return;
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, STREAM_ID_MAX);
    setTimeout(() => session.close(), DRAIN_IDLE_MS);
  };
  context.become({
    drain() {
      if (session.connecting) session.once('connect', leave);
      else leave();
    },
  });
}

function begin(
  stream: http2.ServerHttp2Stream,
  head: RequestHead,
  verdict: HttpVerdict,
  context: ConnectionContext,
): void {
  const shown = verdict.act === 'exchange' ? verdict.head : head;
  const via = verdict.act === 'exchange' ? verdict.via : ({ kind: 'gateway' } as const);
  const exchange = new Http2Exchange(shown, via, stream, () => {
    context.counts.exchanges -= 1;
  });
  context.counts.exchanges += 1;
  serve(exchange, verdict, context);
  assert(exchange.isReading, 'a request is read by whoever takes it');
}

/** Stands for a head that could not be read; only ever refused. */
const MALFORMED: RequestHead = {
  method: 'GET',
  target: '*',
  version: '2',
  fields: [],
  framing: { kind: 'none' },
  keepAlive: true,
  upgrade: null,
  expectContinue: false,
};
