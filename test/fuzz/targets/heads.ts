/**
 * For the targets that are about fields: heads as the program's own codec reads them, so that every
 * list of fields is one that could have come; and what RFC 9113 lets a list hold.
 */
import assert from 'node:assert/strict';
import { createRequestParser } from '../../../src/core/http1/request-parser.ts';
import { createResponseParser } from '../../../src/core/http1/response-parser.ts';
import type { Field, Fields, RequestHead, ResponseHead } from '../../../src/core/message.ts';

/** Input is text: lines end in LF or CRLF, the first is a start line without its version. */
export function wireOf(input: Buffer, before: string, behind: string): Buffer {
  const [start = '', ...lines] = input.toString('latin1').split(/\r?\n/);
  const fields = lines.filter((line) => line !== '').map((line) => `${line}\r\n`);
  return Buffer.from(`${before}${start}${behind}\r\n${fields.join('')}\r\n`, 'latin1');
}

/** The head of a request, or null where the codec refuses it. */
export function requestHeadOf(bytes: Buffer): RequestHead | null {
  let found: RequestHead | null = null;
  let refused = false;
  const parser = createRequestParser({
    onHead: (head) => {
      found ??= head;
    },
    onBody() {},
    onEnd() {},
    onError: () => {
      refused = true;
    },
  });
  parser.push(bytes);
  return refused ? null : found;
}

/** The first head of an answer to POST, which may be an interim one; null where the codec refuses it. */
export function responseHeadOf(bytes: Buffer): ResponseHead | null {
  let found: ResponseHead | null = null;
  let refused = false;
  const onHead = (head: ResponseHead): void => {
    found ??= head;
  };
  const parser = createResponseParser({
    onInterim: onHead,
    onHead,
    onBody() {},
    onEnd() {},
    onError: () => {
      refused = true;
    },
  });
  parser.expect('POST');
  parser.push(bytes);
  return refused ? null : found;
}

/** Fields of one connection, by RFC 9110 section 7.6.1 and what clients send to proxies. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'upgrade',
]);

/** Names that `Connection` can not take away: where a message goes and where it ends. */
const KEPT_WHATEVER: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding']);

/** What travels end to end. */
export function endToEndPlainly(fields: Fields): Field[] {
  const named = new Set(connectionTokens(fields));
  return fields.filter(([given]) => {
    const name = given.toLowerCase();
    return !HOP_BY_HOP.has(name) && (KEPT_WHATEVER.has(name) || !named.has(name));
  });
}

export function connectionTokens(fields: Fields): string[] {
  const lines = fields.filter(([name]) => name.toLowerCase() === 'connection');
  const tokens = lines.flatMap(([, value]) => value.split(','));
  return tokens.map((token) => token.trim().toLowerCase()).filter((token) => token !== '');
}

const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/**
 * Header fields of `node:http2` as a list, each checked by RFC 9113 sections 8.2, 8.2.1 and 8.2.2. Node
 * counts `HTTP2-Settings` (RFC 7540) among the fields of a connection and throws at it.
 */
export function legalHttp2Fields(headers: object): Field[] {
  const list: Field[] = [];
  for (const [name, given] of Object.entries(headers)) {
    for (const value of Array.isArray(given) ? given : [given]) {
      assert(typeof value === 'string' || typeof value === 'number', 'a value that is no text');
      list.push([name, String(value)]);
    }
  }
  for (const [name, value] of list) {
    assert.match(name, /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/, 'a name that HTTP/2 does not allow');
    assert(!CONNECTION_SPECIFIC.has(name), 'a field of one connection in HTTP/2');
    assert(name !== 'te' || value === 'trailers', 'te other than trailers in HTTP/2');
    assert.doesNotMatch(value, /[\0\r\n]|^[ \t]|[ \t]$/, 'a value that HTTP/2 does not allow');
  }
  return list;
}

/** What the seeds and dictionaries of these targets have in common. */
export const FIELD_WORDS = [
  ...['Connection: ', 'keep-alive', 'close', 'Upgrade', 'upgrade, ', 'Keep-Alive: timeout=5\n'],
  ...['TE: trailers\n', 'Trailer: x\n', 'Transfer-Encoding: chunked\n', 'Content-Length: 5\n'],
  ...['Proxy-Authorization: Basic abc\n', 'Proxy-Connection: keep-alive\n', 'constructor: 1\n'],
  ...['__proto__: 1\n', 'Cookie: a=1\n', 'Expect: 100-continue\n', 'host', 'HOST: a.test\n'],
  ...[
    'HTTP2-Settings: a\n',
    'Date: Mon\n',
    'x-a: 1\n',
    ', ',
    ',',
    ' ',
    '\t',
    '\u00ff',
    'Set-Cookie: a=1\n',
    'toString: 1\n',
  ],
];
