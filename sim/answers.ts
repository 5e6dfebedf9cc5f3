/**
 * Answers as simulated upstreams give them: bytes on the wire, where they break off, and beside them
 * what they mean.
 */
import { type Cut, type Knobs, largestBody } from './knobs.ts';
import type { Random } from './random.ts';
import { chunked } from './requests.ts';
import type { WireField } from './wire-reader.ts';

export interface AnswerScript {
  readonly status: number;
  readonly reason: string;
  readonly version: '1.0' | '1.1';
  /** In the order of the wire. */
  readonly fields: readonly WireField[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  readonly payload: Buffer;
  readonly wire: Buffer;
  /** Bytes of the interim answers in front, and of those with the head of the answer. */
  readonly interimBytes: number;
  readonly headBytes: number;
  /** 1xx answers in front of it. */
  readonly interims: number;
  /** It is no valid HTTP from about here on. */
  readonly flaw: 'none' | 'head' | 'chunk';
  /** It breaks off behind so many bytes. */
  readonly cut: Cut | null;
  /** It begins before the request is complete. */
  readonly isEarly: boolean;
  /** The connection ends behind it. */
  readonly closes: boolean;
  /** Longest pause between two of its pieces, ms. */
  readonly pauseMs: number;
  /** It was sent by a connection that speaks another protocol from there on. */
  readonly isUpgrade: boolean;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly isUpgrade: boolean;
}

interface Content {
  readonly status: number;
  readonly reason: string;
  readonly fields: WireField[];
  readonly payload: Buffer;
}

export function drawAnswer(random: Random, knobs: Knobs, asked: Asked): AnswerScript {
  const isUpgrade = asked.isUpgrade && random.chance(0.7);
  const content = isUpgrade ? switching(random) : drawContent(random, knobs, asked);
  const { status } = content;
  const isBodiless = status === 204 || status === 304 || asked.method === 'HEAD' || isUpgrade;
  const version = random.chance(0.04) && !isUpgrade ? '1.0' : '1.1';
  const framing = isBodiless ? 'none' : drawFraming(random, version);
  const isFaulty = random.chance(knobs.upstreamFaults);
  const flaw = isFaulty && random.chance(0.15) ? drawFlaw(random, framing) : 'none';
  const closes = framing === 'close' || version === '1.0' || random.chance(0.1);
  const interims = random.chance(0.08) ? drawInterims(random, knobs) : 0;
  const fields = withFraming(random, content, framing, closes && !isUpgrade);
  const front = interimHeads(random, interims);
  const start = `HTTP/${version} ${status} ${content.reason}`;
  const headBytes = Buffer.from(`${front}${headText(start, fields, flaw === 'head')}`, 'latin1');
  const body =
    framing === 'chunked' ? chunked(random, content.payload, flaw === 'chunk') : [content.payload];
  const hasPayload = !isBodiless || isUpgrade;
  const isCut = isFaulty && flaw === 'none';
  const wire = Buffer.concat(hasPayload ? [headBytes, ...body] : [headBytes]);
  const drawn = isCut ? drawCut(random, wire.length, headBytes.length) : null;
  return {
    status,
    reason: content.reason,
    version,
    fields,
    framing,
    payload: hasPayload ? content.payload : NOTHING,
    wire,
    interimBytes: front.length,
    headBytes: headBytes.length,
    interims,
    flaw,
    cut: knobs.forced.cut ?? drawn,
    isEarly: random.chance(knobs.upstreamFaults / 4),
    closes,
    pauseMs: drawPause(random),
    isUpgrade,
  };
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Now and then a flood, where somebody might not read it. */
function drawInterims(random: Random, knobs: Knobs): number {
  return random.chance(knobs.slowReaders) ? random.between(200, 2_000) : random.between(1, 3);
}

function interimHeads(random: Random, count: number): string {
  let text = '';
  for (let i = 0; i < count; i += 1) {
    text += random.pick([
      `HTTP/1.1 103 Early Hints\r\nLink: </${'a'.repeat(150)}>\r\n\r\n`,
      'HTTP/1.1 100 Continue\r\n\r\n',
    ]);
  }
  return text;
}

function headText(start: string, fields: readonly WireField[], isBroken: boolean): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${start}\r\n${lines}${isBroken ? 'broken line\r\n' : ''}\r\n`;
}

function switching(random: Random): Content {
  return {
    status: 101,
    reason: 'Switching Protocols',
    fields: [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
    ],
    payload: Buffer.from('frame '.repeat(random.spread(1, 400))),
  };
}

function drawContent(random: Random, knobs: Knobs, asked: Asked): Content {
  const large = random.chance(knobs.largeBodies);
  const fields: WireField[] = [['Request-Id', `req_${random.between(0, 999)}`]];
  if (random.chance(0.3)) fields.push(['X-Odd', 'caf\xe9'], ['x-odd', 'again']);
  if (random.chance(0.1)) fields.push(['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2']);
  if (random.chance(0.05)) fields.push(['Keep-Alive', 'timeout=60']);
  const roll = random.float();
  if (roll < 0.5) return stream(random, fields, large ? largestBody(knobs) : 0);
  if (roll < 0.8 || asked.method === 'HEAD') {
    const size = large ? random.spread(50_000, largestBody(knobs)) : random.spread(1, 4_000);
    fields.push(['Content-Type', 'application/json']);
    return { status: 200, reason: 'OK', fields, payload: json(size) };
  }
  return refusal(random, fields, asked);
}

function refusal(random: Random, fields: WireField[], asked: Asked): Content {
  const [status, reason] = random.pick([
    [204, 'No Content'],
    [304, 'Not Modified'],
    [400, 'Bad Request'],
    [401, 'Unauthorized'],
    [401, 'Unauthorized'],
    [404, 'Not Found'],
    [asked.path.endsWith('count_tokens') ? 404 : 413, 'No'],
    [429, 'Too Many Requests'],
    [429, ''],
    [500, 'Internal Server Error'],
    [503, 'Service Unavailable'],
    [529, 'Site is overloaded'],
  ] as const);
  if (status === 429 || status === 503 || status === 529) {
    const after = random.pick([
      null,
      null,
      '0',
      '2',
      '90',
      'soon',
      'Wed, 15 Nov 2023 00:00:00 GMT',
    ]);
    if (after !== null) fields.push(['Retry-After', after]);
    if (random.chance(0.2)) fields.push(['x-should-retry', random.pick(['false', 'true'])]);
  }
  fields.push(['Content-Type', 'application/json']);
  return { status, reason, fields, payload: json(random.spread(1, 300)) };
}

function stream(random: Random, fields: WireField[], bytesMax: number): Content {
  fields.push(['content-type', 'text/event-stream']);
  if (random.chance(0.12)) fields.push(['content-encoding', random.pick(CODINGS)]);
  const events = bytesMax > 0 ? random.spread(500, bytesMax / 100) : random.spread(1, 60);
  const delta =
    'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"w"}}\n\n';
  const start =
    'event: message_start\ndata: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":3}}}\n\n';
  const stop = random.chance(0.9) ? 'event: message_stop\ndata: {"type":"message_stop"}\n\n' : '';
  return {
    status: 200,
    reason: 'OK',
    fields,
    payload: Buffer.from(start + delta.repeat(events) + stop),
  };
}

/** Nobody here decodes them but the tap, whose decoder is simulated too. */
const CODINGS = ['gzip', 'deflate', 'br', 'zstd', 'x-unknown'];

function json(size: number): Buffer {
  return Buffer.from(`{"text":"${'0123456789'.repeat(Math.ceil(size / 10)).slice(0, size)}"}`);
}

function drawFraming(random: Random, version: '1.0' | '1.1'): AnswerScript['framing'] {
  if (version === '1.0') return random.pick(['length', 'close']);
  return random.pick(['length', 'length', 'chunked', 'chunked', 'chunked', 'close']);
}

function drawFlaw(random: Random, framing: AnswerScript['framing']): AnswerScript['flaw'] {
  return framing === 'chunked' && random.chance(0.6) ? 'chunk' : 'head';
}

function withFraming(
  random: Random,
  content: Content,
  framing: AnswerScript['framing'],
  closes: boolean,
): WireField[] {
  const fields = [...content.fields];
  if (framing === 'length') fields.push(['Content-Length', String(content.payload.length)]);
  if (framing === 'chunked') fields.push(['Transfer-Encoding', 'chunked']);
  if (closes && random.chance(0.7)) fields.unshift(['Connection', 'close']);
  return fields;
}

function drawPause(random: Random): number {
  return random.chance(0.7) ? 0 : random.spread(1, random.chance(0.05) ? 100_000 : 500);
}

/** Anywhere, and often right where something begins or ends. */
function drawCut(random: Random, bytes: number, headBytes: number): AnswerScript['cut'] {
  const at = random.pick([
    0,
    1,
    headBytes - 1,
    headBytes,
    Math.min(bytes, headBytes + 1),
    bytes - 1,
    bytes,
    random.between(0, bytes),
    random.between(0, bytes),
    random.between(0, bytes),
  ]);
  return { at: Math.max(0, at), how: random.pick(['fin', 'reset', 'reset', 'stall']) };
}
