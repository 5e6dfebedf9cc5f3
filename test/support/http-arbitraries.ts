/**
 * Generated HTTP/1.1 messages for tests of fidelity: everything that may differ between two clients
 * or two upstreams, and that a proxy might be tempted to tidy up.
 */
import zlib from 'node:zlib';
import fc from './properties.ts';
import type { Line } from './recording-upstream.ts';

/** Fields that end at the proxy, and those that other parts of a generated message decide. */
const NOT_GENERATED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'upgrade',
  'host',
  'content-length',
  'transfer-encoding',
  'expect',
  'max-forwards',
  'origin',
  'sec-fetch-site',
  'x-lanekeeper-token',
]);

/** How a body is delimited, as the generator means it. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close';

export interface WireBody {
  readonly framing: BodyFraming;
  readonly payload: Buffer;
  /** As it stands on the wire. */
  readonly wire: Buffer;
  /** The framing field, where there is one. */
  readonly field: Line | null;
}

export interface GeneratedRequest {
  readonly method: string;
  readonly target: string;
  /** Without Host. */
  readonly fields: readonly Line[];
  /** How Host is spelt, and before which field it stands. */
  readonly host: { readonly name: string; readonly at: number };
  readonly separator: string;
  readonly body: WireBody;
}

export interface GeneratedAnswer {
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly Line[];
  readonly body: WireBody;
  /** Sizes of the pieces in which it is written. */
  readonly cuts: readonly number[];
  readonly closes: boolean;
}

const TOKEN_CHARACTERS = [..."!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"];
const TEXT_CHARACTERS = [
  ...'\t !"#$%&\'()*+,-./0123456789:;<=>?@AZ[\\]^_`az{|}~\x80\xa0\xad\xe9\xfc\xff',
];
const TARGET_CHARACTERS = [...'!"$%&\'()*+,-./0129:;<=>?@AZ[\\]^_`az{|}~'];

const KNOWN_NAMES = [
  'x-claude-code-session-id',
  'x-claude-code-agent-id',
  'x-claude-remote-session-id',
  'anthropic-version',
  'anthropic-beta',
  'anthropic-dangerous-direct-browser-access',
  'authorization',
  'x-api-key',
  'cookie',
  'accept',
  'accept-encoding',
  'content-type',
  'content-encoding',
  'user-agent',
  'x-app',
  'x-stainless-retry-count',
  'traceparent',
  'via',
  'forwarded',
  'x-forwarded-for',
  'range',
  'if-none-match',
  'set-cookie',
  'date',
  'server',
  'trailer',
  'retry-after',
  'x-should-retry',
];

function textOf(characters: readonly string[], max: number): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom(...characters), { maxLength: max })
    .map((parts) => parts.join(''));
}

const inAnyCase = (name: string): fc.Arbitrary<string> =>
  fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map((upper) => [...name].map((c, i) => (upper[i] ? c.toUpperCase() : c)).join(''));

const fieldName = fc.oneof(
  fc.constantFrom(...KNOWN_NAMES),
  fc.constantFrom(...KNOWN_NAMES).chain(inAnyCase),
  textOf(TOKEN_CHARACTERS, 20).filter((text) => text !== ''),
);

const fieldValue = fc.oneof(
  textOf(TEXT_CHARACTERS, 60).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, '')),
  fc.constantFrom('', 'a,b , c', 'Bearer sk-ant-oat01-fake-fake', 'x'.repeat(3000), '*/*;q=0.8'),
  fc.constantFrom('oauth-2025-04-20,fine-grained-tool-streaming-2025-05-14', '"', '\xff'),
);

const field: fc.Arbitrary<Line> = fc
  .tuple(fieldName, fieldValue)
  .filter(([name]) => !NOT_GENERATED.has(name.toLowerCase()));

const fields = fc.array(field, { maxLength: 24 });

/** Fields for the proxy alone, among them one that only `Connection` makes so. */
const hopFields: fc.Arbitrary<Line[]> = fc.constantFrom<Line[][]>(
  [],
  [['Connection', 'keep-alive']],
  [
    ['X-Hop', 'for you'],
    ['connection', 'Keep-Alive, x-HOP'],
    ['Keep-Alive', 'timeout=5'],
  ],
  [
    ['TE', 'trailers'],
    ['Proxy-Connection', 'keep-alive'],
    ['Connection', 'te'],
  ],
);

const binary = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));

const space = fc.constantFrom('', '', ' ', '\n', '\t\r\n  ');

/** JSON text of a value, with any white space where the grammar has room for it. */
function spaced(value: unknown): fc.Arbitrary<string> {
  const text = JSON.stringify(value);
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^{}[\],:"]+/g) ?? [];
  const gaps = fc.array(space, { minLength: parts.length + 1, maxLength: parts.length + 1 });
  return gaps.map((between) =>
    parts.reduce((all, part, i) => all + part + (between[i + 1] ?? ''), between[0] ?? ''),
  );
}

const messagesBody = fc
  .record({
    model: fc.constantFrom('claude-sonnet-5-5', 'claude-opus-5-5', 'claude-haiku-5-5'),
    text: fc.string({ unit: 'grapheme', maxLength: 200 }),
    extra: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 4,
    }),
    stream: fc.boolean(),
  })
  .chain(({ model, text, extra, stream }) =>
    spaced({ ...extra, model, messages: [{ role: 'user', content: text }], stream }),
  )
  .map((text) => Buffer.from(text));

const trailers = fc.oneof(
  fc.constant([]),
  fc.array(fc.tuple(fc.constantFrom('X-Sum', 'x-LATE', 'Server-Timing'), fieldValue), {
    maxLength: 3,
  }),
);

/** The payload in chunks of odd sizes, with extensions, spelt oddly, and trailers behind. */
function chunked(payload: Buffer): fc.Arbitrary<Buffer> {
  const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2000 }));
  const extension = fc.constantFrom('', '', ';a', ';name="quoted value"');
  const style = fc.constantFrom('lower', 'upper', 'padded');
  return fc
    .tuple(fc.array(fc.tuple(size, extension, style), { minLength: 1, maxLength: 40 }), trailers)
    .map(([plan, lines]) => {
      const pieces: Buffer[] = [];
      for (let from = 0, i = 0; from < payload.length; i += 1) {
        const [wanted, suffix, spelling] = plan[i] ?? [payload.length, '', 'lower'];
        const data = payload.subarray(from, from + wanted);
        pieces.push(latin1(`${hex(data.length, spelling)}${suffix}\r\n`), data, latin1('\r\n'));
        from += data.length;
      }
      const late = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      return Buffer.concat([...pieces, latin1(`0\r\n${late}\r\n`)]);
    });
}

function hex(size: number, spelling: string): string {
  const digits = size.toString(16);
  if (spelling === 'upper') return digits.toUpperCase();
  return spelling === 'padded' ? digits.padStart(6, '0') : digits;
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function bodyOf(payload: Buffer, framing: BodyFraming): fc.Arbitrary<WireBody> {
  const plain = { framing, payload, wire: payload };
  switch (framing) {
    case 'none':
      return fc.constant({ ...plain, payload: latin1(''), wire: latin1(''), field: null });
    case 'close':
      return fc.constant({ ...plain, field: null });
    case 'length':
      return fc.constantFrom('Content-Length', 'content-length', 'CONTENT-length').map((name) => ({
        ...plain,
        field: [name, String(payload.length)] as const,
      }));
    case 'chunked':
      return fc
        .tuple(chunked(payload), fc.constantFrom('Transfer-Encoding', 'transfer-encoding'))
        .map(([wire, name]) => ({ ...plain, wire, field: [name, 'chunked'] as const }));
  }
}

/** The list with one more line at a place of its own. */
function insert(list: readonly Line[], line: Line | null, at: number): Line[] {
  const place = at % (list.length + 1);
  return line === null ? [...list] : [...list.slice(0, place), line, ...list.slice(place)];
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'QUERY', 'REPORT'];
const MESSAGES = ['/v1/messages', '/v1/messages?beta=true', '/v1/messages/count_tokens?x=%2F'];

const course = fc.oneof(
  fc
    .tuple(fc.constantFrom(...MESSAGES), fc.oneof(messagesBody, messagesBody, binary))
    .map(([target, payload]) => ({ method: 'POST', target, payload })),
  fc
    .tuple(fc.constantFrom(...METHODS), textOf(TARGET_CHARACTERS, 60), binary)
    .map(([method, rest, payload]) => ({ method, target: `/${rest}`, payload })),
);

/** Any request that the proxy may not refuse. */
export const anyRequest: fc.Arbitrary<GeneratedRequest> = fc
  .tuple(course, fc.constantFrom<BodyFraming[]>('none', 'length', 'length', 'chunked'))
  .chain(([{ method, target, payload }, framing]) =>
    fc
      .record({
        fields,
        hop: hopFields,
        body: bodyOf(payload, framing),
        places: fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30)),
        name: fc.constantFrom('Host', 'host', 'HOST'),
        separator: fc.constantFrom(': ', ': ', ':', ':\t '),
      })
      .map(({ hop, body, places, name, separator, fields: given }) => {
        const withHop = hop.reduce((list, line, i) => insert(list, line, places[0] + i * 7), given);
        const all = insert(withHop, body.field, places[1]);
        return {
          method,
          target,
          fields: all,
          host: { name, at: places[2] % (all.length + 1) },
          separator,
          body,
        };
      }),
  );

const CODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  // What is not what it says it is must pass all the same.
  'x-lies': (bytes) => bytes,
};

const events = fc
  .array(fc.string({ maxLength: 80 }), { maxLength: 20 })
  .map((texts) => Buffer.from(texts.map((text) => `data: ${JSON.stringify(text)}\n\n`).join('')));

const answerPayload: fc.Arbitrary<{ payload: Buffer; lines: Line[] }> = fc
  .tuple(
    fc.oneof(
      binary.map((payload) => ({ payload, type: 'application/octet-stream' })),
      messagesBody.map((payload) => ({ payload, type: 'application/json' })),
      events.map((payload) => ({ payload, type: 'text/event-stream; charset=utf-8' })),
    ),
    fc.option(fc.constantFrom(...Object.keys(CODERS)), { nil: null }),
  )
  .map(([{ payload, type }, coding]) => {
    const lines: Line[] = [['Content-Type', type]];
    if (coding === null) return { payload, lines };
    const named = coding === 'x-lies' ? 'gzip' : coding;
    lines.push(['content-encoding', named]);
    return { payload: CODERS[coding]?.(payload) ?? payload, lines };
  });

const status = fc.oneof(
  fc.constantFrom(200, 201, 204, 304, 400, 401, 403, 404, 413, 429, 500, 503, 529),
  fc.integer({ min: 200, max: 999 }),
);

/** Any final answer that an upstream may give to a request with that method. */
export function anyAnswer(method: string): fc.Arbitrary<GeneratedAnswer> {
  return fc
    .tuple(status, answerPayload, fc.constantFrom<BodyFraming[]>('length', 'chunked', 'close'))
    .chain(([code, { payload, lines }, wanted]) => {
      const isBodiless = method === 'HEAD' || code === 204 || code === 304;
      return fc
        .record({
          status: fc.constant(code),
          reason: fc.oneof(fc.constantFrom('', 'OK', "I'm a teapot"), textOf(TEXT_CHARACTERS, 30)),
          fields,
          body: bodyOf(payload, isBodiless ? 'none' : wanted),
          cuts: fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 6 }),
          says: fc.boolean(),
          place: fc.nat(30),
        })
        .map(({ says, place, body, fields: given, ...rest }) => {
          const closes = says || body.framing === 'close';
          const all = insert([...given, ...lines], body.field, place);
          const fieldsOut = closes ? insert(all, ['Connection', 'close'], place + 3) : all;
          return { ...rest, body, fields: fieldsOut, closes };
        });
    });
}
