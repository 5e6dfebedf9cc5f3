/**
 * What the tests of the twin's faults share: one request by a bare socket or by node:http2, and
 * exactly what its client saw.
 */
import http2 from 'node:http2';
import type { TwinEndpoint } from '../../src/twin/index.ts';
import { rawConnect } from './raw-client.ts';
import { readAll, type Seen } from './raw-exchange.ts';

/** What a client asks; a messages request that streams, unless told otherwise. */
export interface Asked {
  readonly prompt?: string;
  readonly stream?: boolean;
  readonly model?: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** Leaves the connection this long after the head of the answer, ms. */
  readonly leaveAfterMs?: number;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
}

export function bodyOf(asked: Asked): string {
  if (asked.body !== undefined) return asked.body;
  return JSON.stringify({
    model: asked.model ?? 'claude-haiku-5-5',
    max_tokens: 4096,
    messages: [{ role: 'user', content: asked.prompt ?? '[twin: events 5]' }],
    stream: asked.stream ?? true,
  });
}

function fieldsOf(twin: TwinEndpoint, asked: Asked): Record<string, string> {
  return { ...(asked.fields ?? { 'x-api-key': twin.key ?? 'k' }) };
}

/** One request over HTTP/1.1 on a connection of its own, read until that ends. */
export async function overHttp1(twin: TwinEndpoint, asked: Asked = {}): Promise<Seen> {
  const { method = 'POST', path = `${twin.basePath}/v1/messages` } = asked;
  const body = bodyOf(asked);
  const connection = await rawConnect({ to: twin, tls: { ca: twin.ca, servername: 'localhost' } });
  let broken: string | null = null;
  connection.tcp.on('error', (error: NodeJS.ErrnoException) => {
    broken = error.code ?? error.message;
  });
  const lines = Object.entries(fieldsOf(twin, asked)).map(([name, value]) => `${name}: ${value}`);
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const head = [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...lines, length];
  const close = [...head, 'Connection: close', '', ''].join('\r\n');
  await connection.send(close + body);
  if (asked.leaveAfterMs !== undefined) {
    setTimeout(connection.destroy, asked.leaveAfterMs);
  }
  const bytes = await connection.reader.rest();
  const ending = await connection.reader.ending;
  connection.destroy();
  return readAll(bytes, broken ?? ending, method);
}

/** What an HTTP/2 client saw. */
export interface SeenHttp2 {
  readonly status: number | null;
  readonly body: Buffer;
  /** RST_STREAM's code; 0 for a proper end. */
  readonly rstCode: number | undefined;
  readonly whole: boolean;
  readonly goaway: { readonly code: number; readonly last: number } | null;
}

/** Requests over one HTTP/2 session, one after the other; stops where the session ends. */
export async function overHttp2(twin: TwinEndpoint, asked: readonly Asked[]): Promise<SeenHttp2[]> {
  const session = http2.connect(twin.origin, { ca: twin.ca });
  session.on('error', () => {});
  let goaway: SeenHttp2['goaway'] = null;
  session.on('goaway', (code, last) => {
    goaway = { code, last };
  });
  const seen: SeenHttp2[] = [];
  for (const one of asked) {
    if (session.closed || session.destroyed) break;
    const stream = session.request({
      ':method': 'POST',
      ':path': `${twin.basePath}/v1/messages`,
      ...fieldsOf(twin, one),
    });
    stream.on('error', () => {});
    let status: number | null = null;
    let ended = false;
    const pieces: Buffer[] = [];
    stream.on('response', (fields) => {
      status = fields[':status'] ?? null;
    });
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => {
      ended = true;
    });
    const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
    stream.end(bodyOf(one));
    await closed;
    const whole = ended && stream.rstCode === 0 && !stream.aborted;
    const body = Buffer.concat(pieces);
    seen.push({ status, body, rstCode: stream.rstCode, whole, goaway });
  }
  session.destroy();
  return seen;
}
