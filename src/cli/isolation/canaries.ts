/**
 * The canaries of `verify isolation`: one of every kind of credential and of every id that a client of
 * Claude Code sends, found nowhere by chance, and the requests that carry them all at once.
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
    proxyToken: `canary/token+${random()}`,
    cookie: `canary-cookie=${random()}/+`,
    organisation: `canary-org-${randomUUID()}`,
    account: `canary-account-${randomUUID()}`,
    device: `canary-device-${random()}`,
    session: `canary-session-${randomUUID()}`,
    attribution: `canary-attribution-${random()}`,
    sonnetPrompt: `canary "sonnet" prompt ${random()} \\ ü`,
    haikuPrompt: `canary "haiku" prompt ${random()} \\ ü`,
  };
}

/** The names of all of them. */
export const CANARY_NAMES = Object.keys(mintCanaries()) as readonly CanaryName[];

/** What of the client another provider must never see. */
export const CLIENT_ONLY = [
  'apiKey',
  'oauth',
  'cookie',
  'organisation',
  'account',
  'device',
  'session',
  'attribution',
  'sonnetPrompt',
] as const satisfies readonly CanaryName[];

/** A request as it is sent. */
export interface CanaryRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

type Auth = 'key' | 'oauth';

const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';
const NO_BODY = Buffer.alloc(0);
/** What the twin is asked for: all that an answer can be. */
export const CANARY_PROMPTS = [
  'hello',
  '[twin: events 20]',
  '[twin: status 429 times=1 retry-after=0]',
  '[twin: status 529 should-retry=false]',
  '[twin: status 400]',
  '[twin: encoding gzip]',
] as const;

/** One round of requests: both lanes, both kinds of login, and what can not be routed for sure. */
export function canaryRequests(c: Canaries): readonly CanaryRequest[] {
  return (['key', 'oauth'] as const).flatMap((auth) => {
    const routed = CANARY_PROMPTS.flatMap((prompt, index) =>
      [HAIKU, SONNET].flatMap((model) =>
        [true, false].map((agent) =>
          canaryMessages(c, { model, auth, agent, prompt, stream: index % 2 === 0 }),
        ),
      ),
    );
    const haiku = canaryMessages(c, {
      model: HAIKU,
      auth,
      agent: true,
      prompt: 'count',
      stream: false,
    });
    const plain = { headers: canaryHeaders(c, auth), body: NO_BODY };
    const key = c[auth === 'key' ? 'apiKey' : 'oauth'];
    return [
      ...routed,
      { ...haiku, path: '/v1/messages/count_tokens' },
      // Of which the model can not be read for sure.
      { ...haiku, body: haiku.body.subarray(0, -20) },
      { ...plain, method: 'GET', path: '/v1/models' },
      { ...plain, method: 'GET', path: `/v1/none?key=${encodeURIComponent(c.apiKey)}` },
      // An agent that has read a file with its own key: the proxy must refuse it.
      canaryMessages(c, { model: HAIKU, auth, agent: true, prompt: key, stream: true }),
      // A key where a name belongs.
      canaryMessages(c, { model: c.apiKey, auth, agent: true, prompt: 'hello', stream: false }),
    ];
  });
}

/** A request of the Messages API as Claude Code sends it, canaries in every place. */
export function canaryMessages(
  c: Canaries,
  asked: { model: string; auth: Auth; agent: boolean; prompt: string; stream: boolean },
): CanaryRequest {
  const text = asked.model === HAIKU ? c.haikuPrompt : c.sonnetPrompt;
  const ids = { device_id: c.device, account_uuid: c.account, session_id: c.session };
  const body = {
    model: asked.model,
    max_tokens: 30,
    stream: asked.stream,
    system: [
      { type: 'text', text: `x-anthropic-billing-header: ${c.attribution}` },
      { type: 'text', text: 'be brief' },
    ],
    messages: [{ role: 'user', content: `${text} ${asked.prompt}` }],
    metadata: { user_id: JSON.stringify(ids) },
  };
  const agent = asked.agent ? { 'x-claude-code-agent-id': 'agent-1' } : {};
  const headers = { ...canaryHeaders(c, asked.auth), ...agent };
  const bytes = Buffer.from(JSON.stringify(body));
  return { method: 'POST', path: '/v1/messages?beta=true', headers, body: bytes };
}

/** The header fields of every request of a client of Claude Code. */
export function canaryHeaders(c: Canaries, auth: Auth): Readonly<Record<string, string>> {
  const login: Readonly<Record<string, string>> =
    auth === 'key'
      ? { 'x-api-key': c.apiKey }
      : { authorization: `Bearer ${c.oauth}`, 'anthropic-beta': 'oauth-2025-04-20' };
  return {
    ...login,
    'content-type': 'application/json',
    'anthropic-version': '2023-06-01',
    'user-agent': 'claude-cli/2.1.330 (external, cli)',
    'x-app': 'cli',
    'x-organization-uuid': c.organisation,
    'x-claude-code-session-id': c.session,
    cookie: c.cookie,
    'x-lanekeeper-token': c.proxyToken,
  };
}
