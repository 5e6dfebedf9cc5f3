/**
 * Who may use the plain port, and what of a head is meant for us alone. Pure.
 *
 * A web page can make a browser send requests to loopback, and by DNS rebinding under a name of the
 * page's choice; such requests carry `Origin` or `Sec-Fetch-Site`, or a Host that is not loopback.
 */
import { fieldValue } from '../core/fields.ts';
import type { Field, Fields, RequestHead } from '../core/message.ts';
import type { Secret } from '../core/secret.ts';

/** Carries the token where a client can not send `Proxy-Authorization` (gateway mode). */
export const TOKEN_FIELD = 'x-lanekeeper-token';
/** Names our version in the answer to `Max-Forwards: 0`. */
export const VERSION_FIELD = 'x-lanekeeper';
/** How to present the token (RFC 9110 section 11.7.1). */
export const PROXY_CHALLENGE: Field = ['Proxy-Authenticate', 'Basic realm="lanekeeper"'];

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/i;
const FORWARDS = /^[0-9]{1,9}$/;

/** True for a request that a web page made. A browser's own navigation says `none`. */
export function isForeignOrigin(fields: Fields): boolean {
  if (fieldValue(fields, 'origin') !== undefined) return true;
  const site = fieldValue(fields, 'sec-fetch-site');
  return site !== undefined && site.toLowerCase() !== 'none';
}

/** True where the token is the password of `Proxy-Authorization: Basic`, or stands in our own field. */
export function isTokenPresented(fields: Fields, token: Secret): boolean {
  const own = fieldValue(fields, TOKEN_FIELD);
  if (own !== undefined && token.equals(own)) return true;
  const basic = fieldValue(fields, 'proxy-authorization');
  const password = basic === undefined ? null : basicPassword(basic);
  return password !== null && token.equals(password);
}

/** Removes what was meant for this proxy; the same list where there was nothing. */
export function withoutOurCredentials(fields: Fields): Fields {
  return fields.some(isOurCredential) ? fields.filter((field) => !isOurCredential(field)) : fields;
}

/**
 * Max-Forwards of OPTIONS and TRACE (RFC 9110 section 7.6.2): null where it is spent and the answer is
 * ours to give, else the head with one forward less.
 */
export function limitForwards(head: RequestHead): RequestHead | null {
  if (head.method !== 'OPTIONS' && head.method !== 'TRACE') return head;
  const given = fieldValue(head.fields, 'max-forwards');
  if (given === undefined || !FORWARDS.test(given)) return head;
  const left = Number(given);
  if (left === 0) return null;
  const fields = head.fields.map((field): Field => {
    return field[0].toLowerCase() === 'max-forwards' ? [field[0], String(left - 1)] : field;
  });
  return { ...head, fields };
}

/** The password of Basic credentials (RFC 7617 section 2), or null. Any user will do. */
function basicPassword(value: string): string | null {
  const match = BASIC.exec(value.trim());
  if (match === null) return null;
  const pair = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? null : pair.slice(colon + 1);
}

function isOurCredential(field: Field): boolean {
  const { length } = field[0];
  if (length !== TOKEN_FIELD.length && length !== 'proxy-authorization'.length) return false;
  const name = field[0].toLowerCase();
  return name === TOKEN_FIELD || name === 'proxy-authorization';
}
