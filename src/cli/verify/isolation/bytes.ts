/**
 * Exchanges of `verify isolation` that no decent client makes, written byte for byte: pipelines of two
 * logins, upgrades, other hosts, half requests, wrong tokens and nonsense, canaries in all of them.
 */
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
import { overBytes } from './clients.ts';
import { type Arrivals, type Made, sentOf } from './exchange.ts';
import type { Numbers, Stage } from './stage.ts';

/** A request within bytes. */
interface Part {
  readonly shape: string;
  readonly request: CanaryRequest;
  readonly arrives: Arrivals;
}

const ONCE = [1, 1] as const;
const API_HOST = 'api.anthropic.com';
/** Exchanges with another host, in each of two ways. */
const ELSEWHERE_TIMES = 8;
/** A masked text frame (RFC 6455 section 5.2) with a mask of zeros, so that its text stands in it. */
const frameOf = (text: string): Buffer => {
  const payload = Buffer.from(text);
  const head = Buffer.from([0x81, 0x80 + payload.length, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
};

/** What goes over one connection with all the rest: both logins in turn, each lane, in one write. */
export async function sendPipelines(stage: Stage, numbers: Numbers): Promise<void> {
  const c = stage.options.canaries;
  for (const tunnel of [false, true]) {
    const parts = [
      { auth: 'key', model: SONNET, lane: 'anthropic' },
      { auth: 'oauth', model: HAIKU, lane: 'zai' },
      { auth: 'oauth', model: SONNET, lane: 'anthropic' },
      { auth: 'key', model: OPUS, lane: 'third' },
      { auth: 'key', model: SONNET, lane: 'anthropic' },
    ] as const;
    const requests = parts.map(({ auth, model, lane }): Part & { id: number } => {
      const exchange = numbers();
      const asked = { auth, model, prompt: 'hello', stream: false, agent: true, exchange };
      const request = canaryMessages(c, asked);
      return { id: exchange, shape: 'pipelined', request, arrives: { [lane]: ONCE } };
    });
    const last = requests.length - 1;
    const bytes = requests.map(({ request }, index) =>
      wireOf(request, tunnel ? API_HOST : stage.access.proxy.host, index === last),
    );
    const answer = await overBytes(stage.access, 'pipelined', Buffer.concat(bytes), { tunnel });
    for (const { id, shape, request, arrives } of requests) {
      stage.made.push(madeOf({ id, shape, arrives, sent: sentOf(request), answer }));
    }
  }
}

/** Upgrades that the upstream takes, with a frame behind them, or does not. */
export async function sendUpgrades(stage: Stage, numbers: Numbers, taken: boolean): Promise<void> {
  const c = stage.options.canaries;
  for (const auth of ['key', 'oauth'] as const) {
    const id = numbers();
    const headers = {
      ...canaryHeaders(c, auth, id),
      host: API_HOST,
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    };
    const request = { method: 'GET', path: '/v1/session', headers, body: Buffer.alloc(0) };
    const frame = taken ? frameOf(c.sonnetPrompt) : Buffer.alloc(0);
    // Where it is not taken the connection stays.
    const close = taken
      ? Buffer.alloc(0)
      : wireOf(plain(c, auth, numbers(), stage), API_HOST, true);
    const bytes = Buffer.concat([headOf(request), frame, close]);
    const shape = taken ? 'upgrade' : 'upgrade, refused';
    const answer = await overBytes(stage.access, shape, bytes, { tunnel: true });
    stage.made.push(
      madeOf({ id, shape, arrives: { anthropic: ONCE }, sent: sentOf(request), answer }),
    );
  }
}

/** A request that ends a connection. */
function plain(c: Canaries, auth: Auth, id: number, stage: Stage): CanaryRequest {
  const request = {
    method: 'GET',
    path: '/v1/models',
    headers: canaryHeaders(c, auth, id),
    body: Buffer.alloc(0),
  };
  const made = { id, shape: 'behind an upgrade', arrives: { anthropic: ONCE } };
  stage.made.push(madeOf({ ...made, sent: sentOf(request), answer: Buffer.alloc(0) }));
  return request;
}

/**
 * To a host of no lane: through a blind tunnel, and as a plain forward.
 *
 * @returns what is wrong: it must receive what was sent, byte for byte, and of a forward all but the token
 */
export async function sendElsewhere(stage: Stage, numbers: Numbers): Promise<string[]> {
  const c = stage.options.canaries;
  const authority = `127.0.0.1:${stage.elsewhere.port}`;
  const problems: string[] = [];
  for (let time = 0; time < 2 * ELSEWHERE_TIMES; time += 1) {
    const shape = time % 2 === 0 ? 'blind tunnel' : 'plain forward';
    const id = numbers();
    const isTunnel = shape === 'blind tunnel';
    const headers = {
      host: authority,
      authorization: `Bearer ${c.elsewhereKey}`,
      cookie: `key=${c.elsewhereKey}`,
      'user-agent': `git/2.0 (exchange ${id})`,
    };
    const body = Buffer.from(JSON.stringify({ token: c.elsewhereKey }));
    const inner = { method: 'POST', path: `/x?${id}`, headers, body };
    const wire = wireOf(inner, authority, true);
    const basic = `Proxy-Authorization: Basic ${basicOf(c)}\r\n`;
    const bytes = isTunnel
      ? Buffer.concat([
          Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${basic}\r\n`),
          wire,
        ])
      : Buffer.from(
          wire
            .toString('latin1')
            .replace(' /x', ` http://${authority}/x`)
            .replace('\r\n', `\r\n${basic}`),
          'latin1',
        );
    const answer = await overBytes(stage.access, shape, bytes);
    const arrives = { elsewhere: ONCE };
    stage.made.push(madeOf({ id, shape, arrives, sent: sentOf(inner), answer }));
    const got = stage.elsewhere.requests.at(-1);
    const same = got !== undefined && Buffer.concat([Buffer.from(got.head), got.body]).equals(wire);
    if (isTunnel && !same) {
      problems.push('a blind tunnel did not carry what was sent');
    }
  }
  return problems;
}

/** Half of a request, from a client that is gone: of a held one nothing leaves, another one streams. */
export async function sendHalves(stage: Stage, numbers: Numbers): Promise<void> {
  const c = stage.options.canaries;
  for (const path of ['/v1/messages', '/v1/files']) {
    const exchange = numbers();
    const asked = { auth: 'key', model: HAIKU, prompt: 'hello', agent: true, exchange } as const;
    const request = { ...canaryMessages(c, { ...asked, stream: false }), path };
    const bytes = wireOf(request, stage.access.proxy.host, false).subarray(0, -60);
    const shape = `half of a request, ${path}`;
    const answer = await overBytes(stage.access, shape, bytes, { halfClose: true });
    const arrives = {};
    stage.made.push(madeOf({ id: exchange, shape, arrives, sent: sentOf(request), answer }));
  }
}

/** What no exchange comes of. The answers are kept. */
export async function sendNonsense(stage: Stage): Promise<void> {
  const { options, access, told } = stage;
  const c = options.canaries;
  const key = `x-api-key: ${c.apiKey}`;
  const cookie = `Cookie: ${c.cookie}`;
  const token = `x-lanekeeper-token: ${c.proxyToken}`;
  for (const [name, bytes] of [
    ['two hosts', `GET / HTTP/1.1\r\nHost: a\r\nHost: ${c.apiKey}\r\n\r\n`],
    [
      'a web page',
      `POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://${c.organisation}\r\n${token}\r\n${key}\r\nContent-Length: 0\r\n\r\n`,
    ],
    ['no method', `${c.oauth} ${c.zaiKey} HTTP/1.1\r\nHost: x\r\n\r\n`],
    [
      'a bad name for CONNECT',
      `CONNECT ${c.apiKey} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${c.zaiKey}\r\n\r\n`,
    ],
    [
      'nobody there',
      `GET http://127.0.0.1:1/${c.apiKey} HTTP/1.1\r\nHost: 127.0.0.1:1\r\n${token}\r\n${cookie}\r\nConnection: close\r\n\r\n`,
    ],
    [
      'a wrong token for CONNECT',
      `CONNECT ${API_HOST}:443 HTTP/1.1\r\nHost: ${API_HOST}:443\r\nProxy-Authorization: Basic ${Buffer.from(`x:${c.apiKey}`).toString('base64')}\r\n\r\n`,
    ],
    [
      'no token',
      `GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n${key}\r\n${cookie}\r\nConnection: close\r\n\r\n`,
    ],
    [
      'an unknown transfer coding',
      `POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n${token}\r\n${key}\r\nTransfer-Encoding: ${c.session}\r\n\r\n`,
    ],
    ['a head that is too large', `GET /${c.oauth.repeat(2_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['another version', `GET /${c.oauth} HTTP/9.9\r\nHost: x\r\n${key}\r\n\r\n`],
  ] as const) {
    const answer = await overBytes(access, name, bytes);
    told.push({ place: 'own errors', at: name, bytes: answer });
  }
}

function wireOf(request: CanaryRequest, host: string, isLast: boolean): Buffer {
  const { headers, body, ...rest } = request;
  const length = body.length === 0 ? {} : { 'content-length': String(body.length) };
  const last = isLast ? { connection: 'close' } : {};
  const all = { ...rest, body, headers: { host, ...headers, ...length, ...last } };
  return Buffer.concat([headOf(all), body]);
}

function headOf({ method, path, headers }: CanaryRequest): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function basicOf(c: Canaries): string {
  return Buffer.from(`x:${c.proxyToken}`).toString('base64');
}

function madeOf(one: Omit<Made, 'way' | 'answer'> & { readonly answer: Buffer }): Made {
  return { ...one, way: 'bytes', answer: { status: null, error: null, bytes: one.answer } };
}
