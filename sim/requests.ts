/**
 * Requests as simulated clients make them: bytes on the wire, and beside them what they mean, drawn
 * together so that nobody has to parse the one to know the other.
 */
import type { Agent } from '../src/core/route.ts';
import { type BodyPlan, planBody } from './bodies.ts';
import { type Knobs, largestBody } from './knobs.ts';
import type { Random } from './random.ts';
import type { WireField } from './wire-reader.ts';

/** Where a client puts something that must not travel. */
export type Leak = 'none' | 'foreign-key' | 'own-in-head' | 'own-in-target' | 'own-in-body';
/** How a request breaks the grammar. */
export type Flaw = 'none' | 'head' | 'chunk' | 'short';

export interface RequestPlan {
  readonly id: number;
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly fields: readonly WireField[];
  readonly framing: 'none' | 'length' | 'chunked';
  readonly payload: Buffer;
  readonly wire: Buffer;
  readonly headBytes: number;
  readonly isRouted: boolean;
  /** As `JSON.parse` has it, null where it can not be read. */
  readonly model: string | null;
  readonly agent: Agent | null;
  readonly body: BodyPlan | null;
  readonly credential: string;
  readonly leak: Leak;
  readonly flaw: Flaw;
  /** Codes of ours that are the right answer; null where the request is for the relay. */
  readonly refusal: readonly string[] | null;
  readonly expectsContinue: boolean;
  readonly isUpgrade: boolean;
  readonly isLast: boolean;
}

export interface RequestSources {
  readonly random: Random;
  readonly knobs: Knobs;
  readonly door: 'gateway' | 'intercept' | 'port';
  readonly credential: string;
  /** The key of a lane that this client knows and must not be able to use elsewhere. */
  readonly foreignKey: string;
  readonly isLast: boolean;
}

const ROUTED = ['/v1/messages', '/v1/messages', '/v1/messages/count_tokens'];
const OTHERS = ['/v1/models', '/api/hello', '/v1/messages/', '/v1/Messages', '/v1/files', '/'];
const OWN_HOST = '127.0.0.1:8082';
export const INTERCEPTED_HOST = 'api.anthropic.com';

export function planRequest(id: number, sources: RequestSources): RequestPlan {
  const { random, knobs, door, credential } = sources;
  const isRouted = random.chance(0.75);
  const isPort = door === 'port';
  const refusal = drawRefusal(sources);
  const method = isRouted ? 'POST' : random.pick(['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS']);
  const leak = refusal === null && random.chance(0.04) ? drawLeak(sources, isRouted) : 'none';
  const body = drawBody(sources, isRouted, method, leak);
  const isUpgrade = method === 'GET' && !isPort && random.chance(0.3);
  const version = drawVersion(random, isPort || isUpgrade);
  const payload = isUpgrade ? null : body.payload;
  const framing = drawFraming(random, payload, version);
  const mayExpect = framing !== 'none' && version === '1.1' && !isPort;
  const expectsContinue = mayExpect && random.chance(0.05);
  const agent = random.pick([null, 'main', 'subagent', 'subagent'] as const);
  const path = drawPath(sources, isRouted, leak);
  const fields = shuffled(random, [
    ['host', refusal?.host ?? HOSTS[door]],
    ...identity(random, id, agent, credential),
    ...ordinary(random, sources, leak),
    ...(isPort ? [] : hopByHop(random, isUpgrade, sources.isLast, version)),
    ...(refusal?.fields ?? []),
    ...(expectsContinue ? EXPECT : []),
    ...framed(isPort && framing === 'chunked' ? 'none' : framing, payload, body.coding),
  ]);
  const isPlain = refusal === null && !isPort;
  const isFlawed = isPlain && random.chance(knobs.clientFaults / 8);
  const isAbsolute = isPlain && door === 'gateway' && random.chance(0.1);
  const unwired = {
    id,
    method,
    target: path,
    version,
    fields,
    framing,
    payload: payload ?? NOTHING,
    isRouted,
    model: body.model,
    agent,
    body: body.plan,
    credential,
    leak,
    refusal: refusal?.codes ?? null,
    expectsContinue,
    isUpgrade,
    isLast: sources.isLast,
  } as const;
  const target = isAbsolute ? `http://${OWN_HOST}${path}` : path;
  return { ...unwired, ...onTheWire(random, { ...unwired, target }, isFlawed) };
}

const NOTHING: Buffer = Buffer.alloc(0);
const EXPECT: readonly WireField[] = [['Expect', '100-continue']];
const HOSTS = { gateway: OWN_HOST, intercept: INTERCEPTED_HOST, port: INTERCEPTED_HOST } as const;

function drawPath({ random, credential }: RequestSources, isRouted: boolean, leak: Leak): string {
  const query = leak === 'own-in-target' ? `?k=${credential}` : random.pick(['', '', '?beta=true']);
  return `${random.pick(isRouted ? ROUTED : OTHERS)}${query}`;
}

function drawVersion(random: Random, isNew: boolean): '1.0' | '1.1' {
  return isNew || random.chance(0.95) ? '1.1' : '1.0';
}

function drawFraming(
  random: Random,
  payload: Buffer | null,
  version: '1.0' | '1.1',
): RequestPlan['framing'] {
  if (payload === null) return 'none';
  return version === '1.0' || random.chance(0.7) ? 'length' : 'chunked';
}

function drawLeak({ random, credential }: RequestSources, isRouted: boolean): Leak {
  if (credential === '') return 'foreign-key';
  if (!isRouted) return random.pick(['foreign-key', 'own-in-target']);
  return random.pick(['foreign-key', 'own-in-head', 'own-in-target', 'own-in-body']);
}

interface Refusal {
  readonly codes: readonly string[];
  readonly host?: string;
  readonly fields: readonly WireField[];
}

/** Requests that a web page could make, or that are meant for nobody here. */
function drawRefusal({ random, knobs, door }: RequestSources): Refusal | null {
  if (door !== 'gateway' || !random.chance(knobs.refusals)) return null;
  return random.pick<Refusal>([
    { codes: ['foreign_origin'], fields: [['Origin', 'https://evil.example']] },
    { codes: ['foreign_origin'], fields: [['Sec-Fetch-Site', 'cross-site']] },
    { codes: ['foreign_host'], host: 'evil.example', fields: [] },
    { codes: ['foreign_host'], host: 'api.anthropic.com', fields: [] },
    { codes: ['bad_request', 'bad_host'], fields: [['Host', 'two.example']] },
  ]);
}

function drawBody(
  { random, knobs, credential }: RequestSources,
  isRouted: boolean,
  method: string,
  leak: Leak,
): DrawnBody {
  if (!isRouted && method !== 'PUT' && method !== 'POST') return NO_BODY;
  if (random.chance(0.03)) return NO_BODY;
  const size = random.chance(knobs.largeBodies)
    ? random.spread(50_000, largestBody(knobs))
    : random.spread(1, 3_000);
  const plan = planBody(random, size, leak === 'own-in-body' ? credential : '');
  const payload = Buffer.from(plan.text);
  const unread = { payload, plan: null, model: null };
  if (!isRouted) return { ...unread, coding: null };
  // Under a coding it can not be read, whatever it holds.
  if (random.chance(0.02)) return { ...unread, coding: 'gzip' };
  return { payload, plan, model: plan.model, coding: null };
}

interface DrawnBody {
  readonly payload: Buffer | null;
  readonly plan: BodyPlan | null;
  readonly model: string | null;
  readonly coding: string | null;
}

const NO_BODY: DrawnBody = { payload: null, plan: null, model: null, coding: null };

function identity(
  random: Random,
  id: number,
  agent: Agent | null,
  credential: string,
): WireField[] {
  const fields: WireField[] = [];
  const product = agent === 'main' && random.chance(0.5) ? 'claude-cli/2.0' : 'sim';
  fields.push([random.pick(['User-Agent', 'user-agent']), `${product} id/${id}`]);
  if (agent === 'subagent') fields.push(['x-claude-code-agent-id', `a${id}`]);
  if (agent !== null && product === 'sim') fields.push(['X-Claude-Code-Session-Id', 'session-1']);
  if (credential !== '') {
    const bearer: WireField = ['Authorization', `Bearer ${credential}`];
    fields.push(random.chance(0.7) ? bearer : ['X-Api-Key', credential]);
    if (random.chance(0.05)) fields.push(['Cookie', `session=${credential}`]);
  }
  return fields;
}

function ordinary(random: Random, sources: RequestSources, leak: Leak): WireField[] {
  const fields: WireField[] = [['content-type', 'application/json']];
  const accept = leak === 'own-in-head' ? `text/x, ${sources.credential}` : 'application/json';
  if (leak === 'own-in-head' || random.chance(0.5)) fields.push(['Accept', accept]);
  if (leak === 'foreign-key') fields.push(['X-Note', `key ${sources.foreignKey}`]);
  if (random.chance(0.5)) fields.push(['anthropic-version', '2023-06-01']);
  if (random.chance(0.3)) fields.push(['Anthropic-Beta', 'one'], ['anthropic-beta', 'two,three']);
  if (random.chance(0.2)) fields.push(['X-Odd', 'caf\xe9  twice'], ['x-odd', '']);
  if (random.chance(0.1)) fields.push(['Proxy-Authorization', 'Basic eDp5']);
  return fields;
}

function hopByHop(
  random: Random,
  isUpgrade: boolean,
  isLast: boolean,
  version: '1.0' | '1.1',
): WireField[] {
  if (isUpgrade)
    return [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
    ];
  if (isLast && random.chance(0.5)) return [['Connection', 'close']];
  if (version === '1.0') return random.chance(0.5) ? [['Connection', 'keep-alive']] : [];
  if (random.chance(0.1))
    return [
      ['Connection', 'X-Hop, keep-alive'],
      ['X-Hop', 'gone'],
      ['TE', 'trailers'],
    ];
  return random.chance(0.2)
    ? [
        ['Keep-Alive', 'timeout=5'],
        ['Connection', 'keep-alive'],
      ]
    : [];
}

function framed(framing: string, payload: Buffer | null, coding: string | null): WireField[] {
  const fields: WireField[] = coding === null ? [] : [['Content-Encoding', coding]];
  if (framing === 'length') fields.push(['Content-Length', String(payload?.length ?? 0)]);
  if (framing === 'chunked') fields.push(['Transfer-Encoding', 'chunked']);
  return fields;
}

function shuffled(random: Random, fields: WireField[]): WireField[] {
  for (let i = fields.length - 1; i > 0; i -= 1) {
    const j = random.between(0, i);
    [fields[i], fields[j]] = [fields[j] as WireField, fields[i] as WireField];
  }
  return fields;
}

interface Unwired {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly fields: readonly WireField[];
  readonly framing: RequestPlan['framing'];
  readonly payload: Buffer;
}

function onTheWire(
  random: Random,
  plan: Unwired,
  isFlawed: boolean,
): Pick<RequestPlan, 'wire' | 'headBytes' | 'flaw'> {
  let head = `${plan.method} ${plan.target} HTTP/${plan.version}\r\n`;
  for (const [name, value] of plan.fields) {
    head += `${name}:${random.pick([' ', ' ', ' ', '', '\t'])}${value}\r\n`;
  }
  let flaw: Flaw = 'none';
  if (isFlawed) flaw = random.pick(plan.framing === 'chunked' ? FLAWS : FLAWS_OF_HEAD);
  if (flaw === 'head') head += random.pick(BAD_LINES);
  const headBytes = Buffer.from(`${head}\r\n`, 'latin1');
  const body =
    plan.framing === 'chunked' ? chunked(random, plan.payload, flaw === 'chunk') : [plan.payload];
  let wire = Buffer.concat([headBytes, ...body]);
  if (flaw === 'short') wire = wire.subarray(0, random.between(1, wire.length - 1));
  return { wire, headBytes: headBytes.length, flaw };
}

const FLAWS = ['head', 'chunk', 'chunk', 'short'] as const;
const FLAWS_OF_HEAD = ['head', 'short'] as const;
const BAD_LINES = [
  'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  'Content-Length: 5, 6\r\n',
  'no colon here\r\n',
  'bad name: x\r\n',
  'X-Nul: a\0b\r\n',
  ' folded\r\n',
  `X-Long: ${'x'.repeat(70_000)}\r\n`,
  'Transfer-Encoding: gzip, chunked\r\n',
  `X-Longer: ${'y'.repeat(100_000)}\r\n`,
];

/** The chunked coding, in chunks of random sizes. */
export function chunked(random: Random, payload: Buffer, isFlawed: boolean): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  const badAt = isFlawed ? random.between(0, payload.length) : Number.POSITIVE_INFINITY;
  while (at < payload.length && at < badAt) {
    const size = Math.min(payload.length - at, random.spread(1, Math.max(2, payload.length)));
    const extension = random.chance(0.03) ? ';a=b' : '';
    const digits = random.chance(0.1) ? size.toString(16).toUpperCase() : size.toString(16);
    pieces.push(Buffer.from(`${digits}${extension}\r\n`), payload.subarray(at, at + size));
    pieces.push(Buffer.from('\r\n'));
    at += size;
  }
  if (isFlawed)
    pieces.push(
      Buffer.from(random.pick(['x\r\n', '-1\r\n', '5\nhello', '\r\n', 'ffffffffffffffffff\r\n'])),
    );
  else pieces.push(Buffer.from(random.chance(0.05) ? '0\r\nX-Check: sum\r\n\r\n' : '0\r\n\r\n'));
  return pieces;
}
