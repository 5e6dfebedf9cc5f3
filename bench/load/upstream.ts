/**
 * The upstream of a measurement, a process of its own that is told over IPC what to answer. It does the least
 * that an upstream can: TLS, where a request ends, whether it came to the right place with the right key, and
 * an answer made beforehand. HTTP/2 is Node's.
 */
import http2 from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import tls from 'node:tls';
import { createRequestReader } from './request-reader.ts';
import {
  type Answer,
  CLIENT_KEY,
  clockUs,
  DELTAS,
  deltaEvent,
  FIRST_EVENTS,
  JSON_ANSWER,
  LAST_EVENTS,
  MODELS,
  SECOND_KEY,
  SECOND_PREFIX,
} from './wire.ts';

/** What the upstream was asked since it was last set. */
export interface Seen {
  /** Requests at the first upstream, and at the second. */
  first: number;
  second: number;
  /** Without the key that belongs there, or with that of the other. */
  wrongKey: number;
  /** Of a model that does not belong there. Looked at only where `models` was asked for. */
  wrongModel: number;
  /** Not for either upstream. */
  unknown: number;
  bodyBytes: number;
  connections: number;
}

export type UpstreamOrder =
  | { readonly order: 'listen'; readonly certPem: string; readonly keyPem: string }
  | { readonly order: 'answer'; readonly answer: Answer; readonly models: boolean }
  | { readonly order: 'seen' };

export interface Listening {
  readonly tlsPort: number;
  readonly plainPort: number;
}

const JSON_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_bench\r\n' +
  `content-length: ${Buffer.byteLength(JSON_ANSWER)}\r\n\r\n`;
const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n' +
  'request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n';
const WHOLE_JSON = Buffer.from(JSON_HEAD + JSON_ANSWER);
/** The writes of a stream that is sent at once: each event in a write of its own, as an API does. */
const FAST_STREAM = streamWrites();

let answer: Answer = { kind: 'json' };
let models = false;
let seen = nothingSeen();

function nothingSeen(): Seen {
  return {
    first: 0,
    second: 0,
    wrongKey: 0,
    wrongModel: 0,
    unknown: 0,
    bodyBytes: 0,
    connections: 0,
  };
}

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function streamWrites(): Buffer[] {
  const deltas = Array.from({ length: DELTAS }, (_, index) => deltaEvent(index, 0));
  const events = [...FIRST_EVENTS, ...deltas, ...LAST_EVENTS].map(chunk);
  const last = events.length - 1;
  events[0] = STREAM_HEAD + (events[0] ?? '');
  events[last] = `${events[last] ?? ''}0\r\n\r\n`;
  return events.map((text) => Buffer.from(text));
}

/** @param place the target and the fields of the request */
function judge(place: string, target: string, bodyBytes: number, body: readonly Buffer[]): void {
  seen.bodyBytes += bodyBytes;
  const second = target.startsWith(`${SECOND_PREFIX}/v1/messages`);
  const own = second ? SECOND_KEY : CLIENT_KEY;
  const others = second ? CLIENT_KEY : SECOND_KEY;
  if (second) seen.second += 1;
  else if (target.startsWith('/v1/messages')) seen.first += 1;
  else seen.unknown += 1;
  if (!place.includes(own) || place.includes(others)) seen.wrongKey += 1;
  if (models) {
    const wrong = second ? MODELS.main : MODELS.small;
    if (Buffer.concat(body).includes(wrong)) seen.wrongModel += 1;
  }
}

function serveH1(socket: Socket): void {
  seen.connections += 1;
  const read = createRequestReader(
    (head, bodyBytes, body) => {
      const from = head.indexOf(' ') + 1;
      judge(head, head.slice(from, head.indexOf(' ', from)), bodyBytes, body);
      if (answer.kind === 'json') socket.write(WHOLE_JSON);
      else if (answer.everyMs === 0) streamFast(socket, 0);
      else streamPaced(answer.everyMs, pacedH1(socket));
      if (/\r\nconnection: close\r\n/i.test(head) && answer.kind === 'json') socket.end();
    },
    () => models,
  );
  socket.on('data', (data: Buffer) => {
    try {
      read(data);
    } catch (error) {
      process.stderr.write(`${String(error)}\n`);
      socket.destroy();
    }
  });
  socket.on('error', () => socket.destroy());
}

function streamFast(socket: Socket, index: number): void {
  const piece = FAST_STREAM[index];
  if (piece === undefined || socket.destroyed) return;
  socket.write(piece, () => streamFast(socket, index + 1));
}

interface PacedSink {
  readonly gone: () => boolean;
  begin(): void;
  send(event: string): void;
  end(): void;
}

function pacedH1(socket: Socket): PacedSink {
  return {
    gone: () => socket.destroyed,
    begin: () => socket.write(STREAM_HEAD),
    send: (event) => socket.write(chunk(event)),
    end: () => socket.write('0\r\n\r\n'),
  };
}

function streamPaced(everyMs: number, sink: PacedSink): void {
  sink.begin();
  for (const event of FIRST_EVENTS) sink.send(event);
  let index = 0;
  const timer = setInterval(() => {
    if (!sink.gone() && index < DELTAS) {
      sink.send(deltaEvent(index, clockUs()));
      index += 1;
      return;
    }
    clearInterval(timer);
    if (sink.gone()) return;
    for (const event of LAST_EVENTS) sink.send(event);
    sink.end();
  }, everyMs);
}

function serveH2(socket: tls.TLSSocket): void {
  seen.connections += 1;
  const session = http2.performServerHandshake(socket);
  session.on('error', () => session.destroy());
  session.on('stream', (stream, headers) => {
    const body: Buffer[] = [];
    let bodyBytes = 0;
    stream.on('data', (data: Buffer) => {
      bodyBytes += data.length;
      if (models) body.push(data);
    });
    stream.on('error', () => stream.destroy());
    stream.on('end', () => {
      const place = `${headers.authorization ?? ''}\n${String(headers['x-api-key'] ?? '')}`;
      judge(place, headers[':path'] ?? '', bodyBytes, body);
      answerH2(stream);
    });
  });
  // A server's TLS socket made by hand never says so itself, and the session waits for it.
  socket.emit('secureConnect');
}

function answerH2(stream: http2.ServerHttp2Stream): void {
  if (stream.destroyed) return;
  const type = answer.kind === 'json' ? 'application/json' : 'text/event-stream; charset=utf-8';
  stream.respond({ ':status': 200, 'content-type': type, 'request-id': 'req_bench' });
  if (answer.kind === 'json') {
    stream.end(JSON_ANSWER);
    return;
  }
  const sink: PacedSink = {
    gone: () => stream.destroyed,
    begin: () => undefined,
    send: (event) => stream.write(event),
    end: () => stream.end(),
  };
  if (answer.everyMs > 0) {
    streamPaced(answer.everyMs, sink);
    return;
  }
  for (const event of FIRST_EVENTS) sink.send(event);
  for (let index = 0; index < DELTAS; index += 1) sink.send(deltaEvent(index, 0));
  for (const event of LAST_EVENTS) sink.send(event);
  sink.end();
}

async function listen(certPem: string, keyPem: string): Promise<Listening> {
  const secure = tls.createServer({
    cert: certPem,
    key: keyPem,
    ALPNProtocols: ['h2', 'http/1.1'],
    noDelay: true,
  });
  secure.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') serveH2(socket);
    else serveH1(socket);
  });
  secure.on('tlsClientError', () => undefined);
  const plain = net.createServer({ noDelay: true }, serveH1);
  return { tlsPort: await portOf(secure), plainPort: await portOf(plain) };
}

function portOf(server: net.Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}

async function obey(order: UpstreamOrder): Promise<unknown> {
  if (order.order === 'listen') return listen(order.certPem, order.keyPem);
  if (order.order === 'seen') return seen;
  ({ answer, models } = order);
  seen = nothingSeen();
  return null;
}

process.on('message', (order: UpstreamOrder) => {
  void obey(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));
