/**
 * The shapes of exchanges that `verify isolation` sends: every lane, both logins, retries, faults of the
 * upstream, clients that leave, and what the proxy must refuse; and how often each may arrive where.
 */
import { brotliCompressSync } from 'node:zlib';
import { HELD_BODY_BYTES_MAX } from '../../../core/limits.ts';
import type { FaultPlan } from '../../../twin/index.ts';
import {
  type Auth,
  type Canaries,
  type CanaryRequest,
  canaryHeaders,
  canaryMessages,
  HAIKU,
  OPUS,
  SONNET,
} from './canaries.ts';
import type { Arrivals, Exchange, Range, Upstream } from './exchange.ts';

/** Makes the exchange of that number. */
export interface Shape {
  readonly name: string;
  readonly make: (auth: Auth, id: number) => Omit<Exchange, 'id' | 'shape'>;
}

const ONCE: Range = [1, 1];
const TWICE: Range = [2, 2];
const ONCE_OR_TWICE: Range = [1, 2];
const MAYBE: Range = [0, 1];
const NO_BODY = Buffer.alloc(0);
/** The recorder behind the third lane answers with the key that it got. */
export const TELL_KEY = '[tell the key]';
/** It closes the connection in the middle of an answer. */
export const BREAK_OFF = '[break off]';

/** Directives for the twin, and how often such a request arrives with backoff switched on. */
const ANSWERS: readonly (readonly [name: string, directive: string, arrives: Range])[] = [
  ['answered', 'hello', ONCE],
  ['streamed', '[twin: events 20]', ONCE],
  ['compressed', '[twin: encoding gzip]', ONCE],
  ['429, retried', '[twin: status 429 times=1 retry-after=0]', TWICE],
  ['503, retried', '[twin: status 503 times=1 retry-after=0]', TWICE],
  ['529, retried', '[twin: status 529 times=1 retry-after=0]', TWICE],
  ['529, final', '[twin: status 529 should-retry=false]', ONCE],
  ['400', '[twin: status 400]', ONCE],
  ['500', '[twin: status 500]', ONCE],
];

/** All that goes as it should; each arrives as often as is known beforehand. */
export function steadyShapes(c: Canaries): readonly Shape[] {
  const twinLanes = ANSWERS.flatMap(([name, prompt, arrives]) => [
    messages(c, `zai, ${name}`, HAIKU, prompt, { zai: arrives }),
    messages(c, `anthropic, ${name}`, SONNET, prompt, { anthropic: arrives }),
  ]);
  return [
    ...twinLanes,
    messages(c, 'zai, 401', HAIKU, '[twin: status 401]', { zai: ONCE_OR_TWICE }),
    messages(c, 'third lane, answered', OPUS, 'hello', { third: ONCE }),
    messages(c, 'third lane, answer breaks off', OPUS, BREAK_OFF, { third: ONCE }),
    messages(c, 'third lane, tells its key', OPUS, TELL_KEY, { third: ONCE }),
    {
      name: 'count_tokens, falls back',
      make: (auth, id) => ({
        request: { ...haiku(c, auth, id), path: '/v1/messages/count_tokens' },
        arrives: { zai: MAYBE, anthropic: ONCE },
      }),
    },
    ...[HAIKU, SONNET, OPUS].map(
      (model): Shape => ({
        name: `chunked body, ${model}`,
        make: (auth, id) => ({
          request: ask(c, auth, id, model, 'hello'),
          arrives: { [laneOf(model)]: ONCE },
          chunked: true,
        }),
      }),
    ),
    ...unrouted(c),
    ...refused(c),
  ];
}

/** While the proxy is paused every lane's models take the default one; unless forced, Haiku does. */
export function defaultLaneShapes(
  c: Canaries,
  why: string,
  models: readonly string[],
): readonly Shape[] {
  return models.map((model) => ({
    name: `${why}, ${model}`,
    make: (auth, id) => ({
      request: canaryMessages(c, {
        auth,
        model,
        prompt: 'hello',
        stream: false,
        agent: false,
        exchange: id,
      }),
      arrives: { anthropic: ONCE },
    }),
  }));
}

/** Exchanges under way while a worker dies: those that had arrived, and those that did not. */
export function dyingShapes(c: Canaries): readonly Shape[] {
  return [HAIKU, SONNET, OPUS].map((model) => ({
    name: `a worker dies, ${model}`,
    make: (auth, id) => ({
      request: ask(c, auth, id, model, '[twin: events 30] [twin: gap 10]', true),
      arrives: { [laneOf(model)]: MAYBE },
    }),
  }));
}

/** Each lane once: what a changed key, or upstream, is tried with. */
export function laneShapes(c: Canaries, why: string): readonly Shape[] {
  return [HAIKU, SONNET, OPUS].map((model) =>
    messages(c, `${why}, ${model}`, model, 'hello', { [laneOf(model)]: ONCE }),
  );
}

/** Larger than what is held: it streams, unread, down the default lane. */
export function oversizedShape(c: Canaries): Shape {
  return {
    name: 'larger than what is held',
    make: (auth, id) => {
      const request = ask(c, auth, id, HAIKU, 'x'.repeat(HELD_BODY_BYTES_MAX));
      return { request, arrives: { anthropic: ONCE } };
    },
  };
}

const laneOf = (model: string): Upstream =>
  model === HAIKU ? 'zai' : model === OPUS ? 'third' : 'anthropic';

/** What can not be routed for sure, or is no message at all. */
function unrouted(c: Canaries): readonly Shape[] {
  const at = { anthropic: ONCE };
  const plain = (name: string, method: string, path: string, arrives: Arrivals = at): Shape => ({
    name,
    make: (auth, id) => ({
      request: { method, path, headers: canaryHeaders(c, auth, id), body: NO_BODY },
      arrives,
    }),
  });
  return [
    {
      name: 'unreadable body',
      make: (auth, id) => {
        const request = haiku(c, auth, id);
        return { request: { ...request, body: request.body.subarray(0, -20) }, arrives: at };
      },
    },
    {
      name: 'compressed body',
      make: (auth, id) => {
        const { headers, body, ...rest } = haiku(c, auth, id);
        const request = {
          ...rest,
          headers: { ...headers, 'content-encoding': 'br' },
          body: brotliCompressSync(body),
        };
        return { request, arrives: at };
      },
    },
    plain('models', 'GET', '/v1/models'),
    plain(
      'no such path, a key in its query',
      'GET',
      `/v1/none?key=${encodeURIComponent(c.apiKey)}`,
    ),
    plain('HEAD', 'HEAD', '/api/hello'),
    plain('TRACE', 'TRACE', '/v1/messages', { anthropic: MAYBE }),
    plain('OPTIONS', 'OPTIONS', '/v1/messages', { anthropic: MAYBE }),
    {
      name: 'OPTIONS for the proxy itself',
      make: (auth, id) => {
        const headers = { ...canaryHeaders(c, auth, id), 'max-forwards': '0' };
        return { request: { method: 'OPTIONS', path: '/', headers, body: NO_BODY }, arrives: {} };
      },
    },
    {
      name: 'a key where the model belongs',
      make: (auth, id) => ({
        request: ask(c, auth, id, c.apiKey, 'hello'),
        arrives: at,
      }),
    },
  ];
}

/** What would take a credential where it does not belong, and must not leave at all. */
function refused(c: Canaries): readonly Shape[] {
  const never = { arrives: {}, error: 'lane_isolation' };
  const withKey = (name: string, change: (request: CanaryRequest) => CanaryRequest): Shape => ({
    name: `foreign key in ${name}`,
    make: (auth, id) => ({
      ...never,
      request: change(ask(c, auth, id, SONNET, 'hello')),
    }),
  });
  const withField = (name: string, field: string, value: string): Shape =>
    withKey(name, (request) => ({
      ...request,
      headers: { ...request.headers, [field]: value },
    }));
  return [
    {
      // An agent that has read a file with its own key: its own provider knows that.
      name: 'own key in a prompt for zai',
      make: (auth, id) => ({
        request: ask(c, auth, id, HAIKU, c[auth === 'key' ? 'apiKey' : 'oauth']),
        arrives: { anthropic: ONCE },
      }),
    },
    withField('x-api-key', 'x-api-key', c.zaiKey),
    withField('authorization', 'authorization', `Bearer ${c.thirdKey}`),
    withField('a cookie', 'cookie', `a=1; key=${c.zaiKey}`),
    withField('any field', 'x-note', `see ${c.thirdKey}`),
    withField('the name of a field', `x-${c.thirdKey}`, 'x'),
    withKey('the query', (request) => ({ ...request, path: `/v1/messages?key=${c.zaiKey}` })),
  ];
}

/** A fault's settings by the word that stands in the model's name. */
const FAULTS: Readonly<Record<string, FaultPlan['rules'][number]['fault']>> = {
  'reset-head': { kind: 'reset_before_head' },
  'reset-mid': { kind: 'reset_mid_stream', lull_ms: 5 },
  'close-mid': { kind: 'end_mid_stream', how: 'close', lull_ms: 5 },
  truncate: { kind: 'end_mid_stream', how: 'truncate', lull_ms: 5 },
  html: { kind: 'html' },
  'bad-json': { kind: 'bad_json' },
  'error-event': { kind: 'error_event' },
  gzip: { kind: 'truncated_gzip' },
  goaway: { kind: 'goaway' },
  'refused-stream': { kind: 'refused_stream' },
  drip: { kind: 'drip', bytes: 200, every_ms: 1 },
  'stall-head': { kind: 'stall_before_head' },
  'stall-mid': { kind: 'stall_mid_stream' },
};

/** What goes wrong at the twin, by the model's name. */
export const FAULT_PLAN: FaultPlan = {
  rules: Object.entries(FAULTS).map(([word, fault]) => ({
    match: { model: `*${word}*` },
    fault,
  })),
};

/** Exchanges that meet a fault, on both lanes of the twin. What is known of them is less. */
export function faultyShapes(c: Canaries): readonly Shape[] {
  return Object.keys(FAULTS).flatMap((word) =>
    (['haiku', 'sonnet'] as const).map((family): Shape => {
      const lane = family === 'haiku' ? 'zai' : 'anthropic';
      return {
        name: `${lane}, ${word}`,
        make: (auth, id) => ({
          request: canaryMessages(c, {
            auth,
            model: `claude-${family}-${word}`,
            prompt: '[twin: events 8]',
            stream: true,
            agent: true,
            exchange: id,
          }),
          // One that falls with its connection may have met nobody.
          arrives: { [lane]: [0, 2] },
          ...(word === 'stall-mid' ? { leaves: 'answered' as const } : {}),
          ...(word === 'stall-head' ? { leaves: 'sent' as const } : {}),
        }),
      };
    }),
  );
}

/** Clients that go away, with their request or within the answer. */
export function leavingShapes(c: Canaries): readonly Shape[] {
  return (['sent', 'answered'] as const).flatMap((leaves) =>
    [HAIKU, SONNET].map((model): Shape => {
      const lane = model === HAIKU ? 'zai' : 'anthropic';
      const prompt = '[twin: events 40] [twin: gap 5]';
      return {
        name: `${lane}, client leaves once ${leaves}`,
        make: (auth, id) => ({
          request: ask(c, auth, id, model, prompt, true),
          arrives: { [lane]: MAYBE },
          leaves,
        }),
      };
    }),
  );
}

function messages(
  c: Canaries,
  name: string,
  model: string,
  prompt: string,
  arrives: Arrivals,
): Shape {
  return {
    name,
    make: (auth, id) => ({ request: ask(c, auth, id, model, prompt), arrives }),
  };
}

const haiku = (c: Canaries, auth: Auth, id: number): CanaryRequest =>
  ask(c, auth, id, HAIKU, 'hello');

/** Every other one is a stream. */
function ask(
  c: Canaries,
  auth: Auth,
  id: number,
  model: string,
  prompt: string,
  stream = id % 2 === 0,
): CanaryRequest {
  return canaryMessages(c, { auth, model, prompt, stream, agent: id % 3 > 0, exchange: id });
}
