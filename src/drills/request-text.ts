/** A drill's request as its clients write it. */
import type { Access, DrillRequest } from './types.ts';

/** The host that clients believe they talk to, and whose port 443 the proxy intercepts. */
export const API_HOST = 'api.anthropic.com';
export const MESSAGES_PATH = '/v1/messages';
const API_VERSION = '2023-06-01';
/** A subscription's token begins so, and is accepted with this beta only. */
const LOGIN_TOKEN = 'sk-ant-oat';
const LOGIN_BETA = 'oauth-2025-04-20';

/** The body: what the Messages API takes, nothing more. */
export function bodyOf(request: DrillRequest) {
  return {
    model: request.model,
    max_tokens: request.maxTokens,
    messages: [{ role: 'user' as const, content: request.prompt }],
  };
}

/** What a proxy that wants a token is told at CONNECT, by the login in its URL; null where it has none. */
export function proxyLogin(url: URL): string | null {
  if (url.password === '') return null;
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/** The same for a gateway: it takes the token in a field of its own. */
function gatewayToken({ via, url }: Access): readonly (readonly [name: string, value: string])[] {
  if (via === 'connect' || url.password === '') return [];
  return [['x-lanekeeper-token', decodeURIComponent(url.password)]];
}

/** Fields that every request of a drill carries, besides credential and framing. */
export function fieldsOf(access: Access): readonly (readonly [name: string, value: string])[] {
  const [, credential] = access.credential;
  const login = credential.includes(LOGIN_TOKEN) ? [['anthropic-beta', LOGIN_BETA] as const] : [];
  return [
    ['anthropic-version', API_VERSION],
    ['x-claude-code-session-id', access.session],
    ...login,
    ...gatewayToken(access),
  ];
}

/** Head and body in one piece, for HTTP/1.1. */
export function wireOf(access: Access, request: DrillRequest): Buffer {
  const body = JSON.stringify({ ...bodyOf(request), stream: request.stream });
  const fields = [access.credential, ...fieldsOf(access)]
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const host = access.via === 'connect' ? API_HOST : access.url.host;
  // Latin1 is all that prompts and fields are made of, so characters are bytes.
  return Buffer.from(
    `POST ${MESSAGES_PATH} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\n${fields}\r\n${body}`,
    'latin1',
  );
}
