/**
 * The canaries of `verify isolation`: one of every kind of credential, of every id that a client of
 * Claude Code sends, and of what it says, found nowhere by chance; and the requests that carry them.
 */
import { randomBytes, randomUUID } from 'node:crypto';

export type Canaries = ReturnType<typeof mintCanaries>;
export type CanaryName = keyof Canaries;

/** New ones. Characters that encodings change are among them. */
export function mintCanaries() {
  const random = (): string => randomBytes(12).toString('hex');
  return {
    apiKey: `sk-ant-api03-canary-${random()}`,
    oauth: `sk-ant-oat01-canary-${random()}`,
    zaiKey: `${randomBytes(16).toString('hex')}.Canary${random().slice(0, 10)}`,
    // Of no shape that anybody knows.
    thirdKey: `third.canary.${random()}`,
    thirdKeyNew: `third.canary.${random()}`,
    proxyToken: `canary/token+${random()}`,
    elsewhereKey: `ghp_canary${random()}`,
    cookie: `canary-cookie=${random()}/+`,
    organisation: `canary-org-${randomUUID()}`,
    account: `canary-account-${randomUUID()}`,
    device: `canary-device-${random()}`,
    session: `canary-session-${randomUUID()}`,
    attribution: `canary-attribution-${random()}`,
    sonnetPrompt: `canary "sonnet" prompt ${random()} \\ ü`,
    haikuPrompt: `canary "haiku" prompt ${random()} \\ ü`,
    thirdPrompt: `canary "opus" prompt ${random()} \\ ü`,
  };
}

/** What each is, in words. */
export const KINDS: Readonly<Record<CanaryName, string>> = {
  apiKey: 'Anthropic API key',
  oauth: 'OAuth token',
  zaiKey: 'Z.AI key',
  thirdKey: 'key of a third lane',
  thirdKeyNew: 'that key, changed',
  proxyToken: 'token of the proxy',
  elsewhereKey: 'key for another host',
  cookie: 'cookie',
  organisation: 'organisation id',
  account: 'account id',
  device: 'device id',
  session: 'session id',
  attribution: 'attribution block',
  sonnetPrompt: 'prompt for Anthropic',
  haikuPrompt: 'prompt for Z.AI',
  thirdPrompt: 'prompt for the third lane',
};

/** The names of all of them. */
export const CANARY_NAMES = Object.keys(KINDS) as readonly CanaryName[];

/** What of the client no keyed lane must ever see. */
export const CLIENT_ONLY = [
  'apiKey',
  'oauth',
  'cookie',
  'organisation',
  'account',
  'device',
  'session',
  'attribution',
] as const satisfies readonly CanaryName[];

export const PROMPTS = ['sonnetPrompt', 'haikuPrompt', 'thirdPrompt'] as const;

/** Which login a client of Claude Code has. */
export type Auth = 'key' | 'oauth';
export const AUTHS: readonly Auth[] = ['key', 'oauth'];

/** A request as it is sent. */
export interface CanaryRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export const HAIKU = 'claude-haiku-5-5';
export const SONNET = 'claude-sonnet-5-5';
export const OPUS = 'claude-opus-5-5';
const PROMPT_OF: readonly (readonly [model: string, prompt: CanaryName])[] = [
  ['haiku', 'haikuPrompt'],
  ['opus', 'thirdPrompt'],
];
const USER_AGENT = /\(exchange (\d+)\)/;

/** What is asked for. */
export interface Asked {
  readonly auth: Auth;
  readonly model: string;
  /** Behind the canary of the prompt. */
  readonly prompt: string;
  readonly stream: boolean;
  /** Of a subagent. */
  readonly agent: boolean;
  /** By which it is known wherever it arrives. */
  readonly exchange: number;
}

/** A request of the Messages API as Claude Code sends it, canaries in every place. */
export function canaryMessages(c: Canaries, asked: Asked): CanaryRequest {
  const { model, prompt, stream, exchange } = asked;
  const text = c[PROMPT_OF.find(([part]) => model.includes(part))?.[1] ?? 'sonnetPrompt'];
  const ids = { device_id: c.device, account_uuid: c.account, session_id: c.session };
  const body = {
    model,
    max_tokens: 30,
    stream,
    system: [
      { type: 'text', text: `x-anthropic-billing-header: ${c.attribution}` },
      { type: 'text', text: 'be brief' },
    ],
    // The number makes each body another one: the twin counts tries by their bytes.
    messages: [{ role: 'user', content: `${text} ${exchange} ${prompt}` }],
    metadata: { user_id: JSON.stringify(ids) },
  };
  const agent = asked.agent ? { 'x-claude-code-agent-id': 'agent-1' } : {};
  const headers = { ...canaryHeaders(c, asked.auth, exchange), ...agent };
  const bytes = Buffer.from(JSON.stringify(body));
  return { method: 'POST', path: '/v1/messages?beta=true', headers, body: bytes };
}

/** The header fields of every request of a client of Claude Code. */
export function canaryHeaders(
  c: Canaries,
  auth: Auth,
  exchange: number,
): Readonly<Record<string, string>> {
  const login: Readonly<Record<string, string>> =
    auth === 'key'
      ? { 'x-api-key': c.apiKey }
      : { authorization: `Bearer ${c.oauth}`, 'anthropic-beta': 'oauth-2025-04-20' };
  return {
    ...login,
    'content-type': 'application/json',
    'anthropic-version': '2023-06-01',
    // Of all fields this one travels on every lane.
    'user-agent': `claude-cli/2.1.330 (exchange ${exchange})`,
    'x-app': 'cli',
    'x-organization-uuid': c.organisation,
    'x-claude-code-session-id': c.session,
    cookie: c.cookie,
    'x-lanekeeper-token': c.proxyToken,
  };
}

/** Which exchange a head belongs to; null where it does not say. */
export function exchangeIn(text: string): number | null {
  const number = USER_AGENT.exec(text)?.[1];
  return number === undefined ? null : Number(number);
}
