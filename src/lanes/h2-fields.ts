/**
 * Fields between the program's raw lists and node:http2 (RFC 9113 section 8.2 and 8.3).
 *
 * node:http2 of Node 22 takes an object only: names keep the order of their first line, lines of one
 * name stay together. Credentials are marked so that no compression table keeps them (RFC 7541
 * section 7.1.3).
 */
import { constants, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { isFraming } from '../core/fields.ts';
import type { Field, Fields } from '../core/message.ts';
import { CREDENTIAL_FIELDS } from './identity.ts';
import type { PreparedRequest } from './lane.ts';

/** What is not sent by HTTP/2 as a field: framing of HTTP/1.1, `host` (it is `:authority`). */
function isDropped(name: string): boolean {
  return name === 'transfer-encoding' || name === 'host';
}

/** Fields that only a connection of HTTP/1.1 has a use for. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'http2-settings',
]);

/** The head of a request for `session.request`. */
export function h2RequestHeaders(request: PreparedRequest): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { __proto__: null } as unknown as OutgoingHttpHeaders;
  headers[constants.HTTP2_HEADER_METHOD] = request.method;
  headers[constants.HTTP2_HEADER_SCHEME] = 'https';
  headers[constants.HTTP2_HEADER_PATH] = request.target;
  const sensitive: string[] = [];
  let authority = '';
  for (const [name, value] of request.fields) {
    const lower = name.toLowerCase();
    if (lower === 'host') authority = value;
    if (isDropped(lower) || CONNECTION_FIELDS.has(lower)) continue;
    if (CREDENTIAL_FIELDS.has(lower) && !sensitive.includes(lower)) sensitive.push(lower);
    addLine(headers, lower, value);
  }
  headers[constants.HTTP2_HEADER_AUTHORITY] = authority;
  Object.assign(headers, { [sensitiveHeaders]: sensitive });
  return headers;
}

/** Trailers for `stream.sendTrailers`. */
export function h2Trailers(trailers: Fields): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  for (const [name, value] of trailers) {
    const lower = name.toLowerCase();
    if (!isFraming(lower) && !CONNECTION_FIELDS.has(lower)) addLine(headers, lower, value);
  }
  return headers;
}

/** Fields from the flat list that node:http2 gives, without the pseudo-fields. */
export function fieldsFromH2(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i];
    const value = raw[i + 1];
    if (name === undefined || value === undefined || name.startsWith(':')) continue;
    fields.push([name, value]);
  }
  return fields;
}

function addLine(headers: OutgoingHttpHeaders, name: string, value: string): void {
  const before = headers[name];
  if (before === undefined) headers[name] = value;
  else if (Array.isArray(before)) before.push(value);
  else headers[name] = [String(before), value];
}
