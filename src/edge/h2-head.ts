/**
 * HTTP/2 field lists (RFC 9113 section 8) to the program's message heads and back. Pure.
 *
 * nghttp2 underneath refuses most malformed messages before they come here: upper-case names, missing
 * pseudo-fields, bytes that may not stand in a value, and a Content-Length that is not the sum of DATA.
 */
import type { OutgoingHttpHeaders } from 'node:http2';
import { parseHostField } from '../core/authority.ts';
import { endToEnd } from '../core/fields.ts';
import { isTargetText } from '../core/http1/chars.ts';
import type { Field, Fields, Framing, RequestHead, ResponseHead } from '../core/message.ts';

/** Fields that HTTP/2 has no place for (RFC 9113 section 8.2.2). */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** `node:http2` throws at these, and at a field of HTTP/1.1 upgrades that RFC 9113 does without. */
const REFUSED_BY_NODE: ReadonlySet<string> = new Set([
  ...CONNECTION_SPECIFIC,
  'http2-settings',
  'te',
]);
const LENGTH = /^(?:0|[1-9][0-9]{0,15})$/;

/** Why a head is refused; for people. */
export interface MalformedHead {
  readonly malformed: string;
}

/**
 * The head of a request.
 *
 * @param raw names and values in turn, as they came
 * @param isEnd the stream ends with this head
 */
export function requestFromHttp2(
  raw: readonly string[],
  isEnd: boolean,
): RequestHead | MalformedHead {
  const pseudo = new Map<string, string>();
  const given: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name.startsWith(':')) pseudo.set(name, value);
    else given.push([name, value]);
  }
  if (given.some(isConnectionSpecific)) {
    return { malformed: 'a connection-specific field (RFC 9113, 8.2.2)' };
  }
  const fields = joinCookies(given);
  const host = reconcileHost(fields, pseudo.get(':authority'));
  if (host === null) return { malformed: 'Host and :authority disagree (RFC 9113, 8.3.1)' };
  const framing = framingOf(host, isEnd);
  if (framing === null) return { malformed: 'Content-Length is not one plain number' };
  const method = pseudo.get(':method') ?? '';
  const target = method === 'CONNECT' ? '*' : (pseudo.get(':path') ?? '');
  // nghttp2 lets a fragment and octets above 127 through, which no request line can hold.
  if (!isTargetText(target)) return { malformed: 'the path (RFC 9113, 8.3.1)' };
  return {
    method,
    target,
    version: '2',
    fields: host,
    framing,
    keepAlive: true,
    upgrade: null,
    expectContinue: !isEnd && host.some(isExpectContinue),
  };
}

/** Trailers, without what may not stand among them. */
export function trailersFromHttp2(raw: readonly string[]): Fields {
  const trailers: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (!name.startsWith(':') && !CONNECTION_SPECIFIC.has(name)) {
      trailers.push([name, raw[i + 1] ?? '']);
    }
  }
  return trailers;
}

/** The head of an answer as `node:http2` takes it. */
export function responseToHttp2(head: ResponseHead): OutgoingHttpHeaders {
  const headers = fieldsToHttp2(endToEnd(head.fields));
  headers[':status'] = head.status;
  return headers;
}

/**
 * Fields in lower case, without those of a connection. Repeated ones are joined by a comma (RFC 9110
 * section 5.3), since `node:http2` throws at repetitions that upstreams do send; `set-cookie` alone can
 * not be joined. Empty elements of a list say nothing (section 5.6.1), and nghttp2 drops a value that
 * ends in white space.
 */
export function fieldsToHttp2(fields: Fields): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  for (const [given, value] of fields) {
    const name = given.toLowerCase();
    if (REFUSED_BY_NODE.has(name)) continue;
    const before = headers[name];
    if (name === 'set-cookie') {
      headers[name] = Array.isArray(before) ? [...before, value] : [value];
    } else {
      const isFirst = before === undefined || before === '';
      headers[name] = isFirst ? value : `${String(before)}${value === '' ? '' : `, ${value}`}`;
    }
  }
  return headers;
}

/** Crumbs are one field again before they leave HTTP/2 (RFC 9113 section 8.2.3). */
function joinCookies(fields: Field[]): Field[] {
  const crumbs = fields.filter(isCookie);
  if (crumbs.length < 2) return fields;
  const whole: Field = ['cookie', crumbs.map(([, value]) => value).join('; ')];
  const first = fields.findIndex(isCookie);
  return [
    ...fields.slice(0, first),
    whole,
    ...fields.slice(first + 1).filter((field) => !isCookie(field)),
  ];
}

/** The fields with `:authority` as the leading host; null where a Host field says otherwise. */
function reconcileHost(fields: Field[], authority: string | undefined): Field[] | null {
  const hosts = fields.filter(([name]) => name === 'host');
  if (hosts.length > 1) return null;
  const given = hosts[0]?.[1];
  if (authority === undefined) {
    if (given === undefined) return null;
    return [['host', given], ...fields.filter(([name]) => name !== 'host')];
  }
  if (given !== undefined && given.toLowerCase() !== authority.toLowerCase()) return null;
  if (parseHostField(authority) === null) return null;
  return [['host', authority], ...fields.filter(([name]) => name !== 'host')];
}

function framingOf(fields: Fields, isEnd: boolean): Framing | null {
  const length = fields.find(([name]) => name === 'content-length')?.[1];
  if (length === undefined) return isEnd ? { kind: 'none' } : { kind: 'stream' };
  if (!LENGTH.test(length) || !Number.isSafeInteger(Number(length))) return null;
  return { kind: 'length', length: Number(length) };
}

function isCookie([name]: Field): boolean {
  return name === 'cookie';
}

function isConnectionSpecific([name, value]: Field): boolean {
  return CONNECTION_SPECIFIC.has(name) || (name === 'te' && value !== 'trailers');
}

function isExpectContinue([name, value]: Field): boolean {
  return name === 'expect' && value.toLowerCase() === '100-continue';
}
