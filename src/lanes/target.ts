/**
 * The request target at the upstream: path and query as they came, behind the upstream's prefix
 * (RFC 9110 section 7.7: an intermediary does not rewrite them; RFC 9112 section 3.2 for the forms).
 */

const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/**
 * Path and query for the upstream.
 *
 * @param target origin, absolute or asterisk form; authority form (CONNECT) never comes here
 */
export function upstreamTarget(basePath: string, method: string, target: string): string {
  if (target === '*') return target;
  if (target.startsWith('/')) return basePath + target;
  const origin = ABSOLUTE_FORM.exec(target)?.[0] ?? '';
  const rest = target.slice(origin.length);
  // RFC 9112 section 3.2.4: OPTIONS on an absolute form without path and query means the server.
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest.startsWith('/') ? basePath + rest : `${basePath}/${rest}`;
}
