/**
 * Requests that play with the connection: pipelining, Expect, Upgrade, Connection, Max-Forwards, and
 * forms of the target that say something else than the connection does.
 */
import { HELD, message, passed, raw, refused, STREAMED } from './build.ts';
import type { HostileRequest } from './types.ts';

const GET = `GET ${STREAMED} HTTP/1.1`;
const POST = `POST ${STREAMED} HTTP/1.1`;

export const FLOW_CASES: readonly HostileRequest[] = [
  passed([{ start: GET }, { start: POST, body: 'abc' }, { start: GET }], {
    name: 'three requests in one write',
    rfc: '9112 §9.3.2',
    why: 'answered in their order, one by one',
    bytes: raw(
      `${GET}\r\nHost: {host}\r\n\r\n${POST}\r\nHost: {host}\r\nContent-Length: 3\r\n\r\nabc${GET}\r\nHost: {host}\r\n\r\n`,
    ),
  }),
  {
    name: 'a good request, then a bad one, then a good one',
    rfc: '9112 §9.3.2',
    why: 'the first is served, the second ends the connection, the third is never seen',
    bytes: raw(
      `${GET}\r\nHost: {host}\r\n\r\n${GET}\r\nHost: {host}\r\nContent-Length: +1\r\n\r\n${GET}\r\nHost: {host}\r\n\r\n`,
    ),
    answered: { statuses: [200, 400], code: 'bad_request', closes: true },
    reaches: { kind: 'whole', requests: [{ start: GET }] },
    records: 1,
  },
  passed([{ start: GET }], {
    name: 'Connection: close, then another request',
    rfc: '9112 §9.6',
    why: 'nothing is read behind the last request',
    closes: true,
    bytes: raw(`${GET}\r\nHost: {host}\r\nConnection: close\r\n\r\n${GET}\r\nHost: {host}\r\n\r\n`),
  }),
  passed([{ start: GET }], {
    name: 'HTTP/1.0 without keep-alive, then another request',
    rfc: '9112 §9.3',
    why: 'HTTP/1.0 ends with its answer; the upstream hears HTTP/1.1, our own version',
    closes: true,
    bytes: raw(`GET ${STREAMED} HTTP/1.0\r\nHost: {host}\r\n\r\n${GET}\r\nHost: {host}\r\n\r\n`),
  }),
  passed([{ start: GET, without: ['x-secret', 'connection', 'keep-alive', 'te'] }], {
    name: 'Connection names fields',
    rfc: '9110 §7.6.1',
    why: 'they belong to this hop and are not passed on',
    bytes: message(GET, [
      'Connection: x-secret, te',
      'X-Secret: a',
      'TE: trailers',
      'Keep-Alive: 5',
    ]),
  }),
  passed([{ start: GET, without: ['authorization', 'x-api-key'] }], {
    name: 'Connection names the credentials',
    rfc: '9110 §7.6.1',
    why: 'whoever sent them may take them back: the upstream sees none, and nobody else’s either',
    bytes: message(GET, [
      'Connection: authorization, x-api-key',
      'Authorization: Bearer fake',
      'x-api-key: fake',
    ]),
  }),
  passed([{ start: GET, without: ['upgrade', 'http2-settings', 'connection'] }], {
    name: 'Upgrade: h2c among others',
    rfc: '9113 §3.1',
    why: 'an upstream that may choose could choose it',
    bytes: message(GET, ['Connection: upgrade, http2-settings', 'Upgrade: websocket, H2C']),
  }),
  passed([{ start: GET, without: ['upgrade', 'http2-settings', 'connection'] }], {
    name: 'Upgrade: h2c',
    rfc: '9113 §3.1',
    why: 'a tunnel past the proxy, if an upstream took it; h2c by upgrade is withdrawn',
    bytes: message(GET, [
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ]),
  }),
  passed([{ start: POST, body: 'abc' }], {
    name: 'Expect: 100-continue, and the body at once',
    rfc: '9110 §10.1.1',
    why: 'the body is not read as another request',
    bytes: message(POST, ['Expect: 100-continue', 'Content-Length: 3'], 'abc'),
  }),
  passed([{ start: `POST ${HELD} HTTP/1.1`, body: '{}', without: ['expect'] }], {
    name: 'Expect on a held body',
    rfc: '9110 §10.1.1',
    why: 'the body is here already: nobody waits any more',
    bytes: message(`POST ${HELD} HTTP/1.1`, ['Expect: 100-continue', 'Content-Length: 2'], '{}'),
  }),
  passed([{ start: GET, lines: ['Expect: 200-maybe'] }], {
    name: 'Expect of something else',
    rfc: '9110 §10.1.1',
    why: 'whether to answer 417 is the upstream’s to say',
    bytes: message(GET, ['Expect: 200-maybe']),
  }),
  {
    name: 'TRACE with Max-Forwards: 0',
    rfc: '9110 §7.6.2',
    why: 'we are the last to get it; an echo of the head would show credentials to a page',
    bytes: message(`TRACE ${STREAMED} HTTP/1.1`, ['Max-Forwards: 0', 'Cookie: fake']),
    answered: { statuses: [204], closes: false },
    reaches: { kind: 'nothing' },
    records: 0,
  },
  passed([{ start: `OPTIONS ${STREAMED} HTTP/1.1`, lines: ['Max-Forwards: 4'] }], {
    name: 'OPTIONS with Max-Forwards: 5',
    rfc: '9110 §7.6.2',
    why: 'one forward less',
    bytes: message(`OPTIONS ${STREAMED} HTTP/1.1`, ['Max-Forwards: 5']),
  }),
  passed([{ start: `OPTIONS ${STREAMED} HTTP/1.1`, lines: ['Max-Forwards: -1'] }], {
    name: 'Max-Forwards that is no number',
    rfc: '9110 §7.6.2',
    why: 'passed on as it is: nothing is counted down below zero',
    bytes: message(`OPTIONS ${STREAMED} HTTP/1.1`, ['Max-Forwards: -1']),
  }),
  refused(400, 'bad_host', {
    name: 'absolute target that is not the Host',
    rfc: '9112 §3.2.2',
    why: 'two readers may mean two servers',
    plainOnly: true,
    bytes: raw(`GET http://hidden.example/v1 HTTP/1.1\r\nHost: {host}\r\n\r\n`),
  }),
  refused(400, 'bad_request', {
    name: 'absolute target with userinfo',
    rfc: '9110 §4.2.4',
    why: 'what stands before @ looks like a host to people',
    bytes: raw('GET http://127.0.0.1@hidden.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n'),
  }),
  refused(400, 'bad_request', {
    name: 'absolute target of another scheme',
    rfc: '9112 §3.2.2',
    why: 'only http is forwarded',
    plainOnly: true,
    bytes: raw('GET ftp://hidden.example/ HTTP/1.1\r\nHost: hidden.example\r\n\r\n'),
  }),
  refused(403, 'plain_intercepted', {
    name: 'absolute target of the intercepted host over http',
    rfc: '9110 §4.2.2',
    why: 'its credentials would travel in plain text',
    plainOnly: true,
    bytes: raw('GET http://api.anthropic.com/v1 HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n'),
  }),
  refused(403, 'foreign_host', {
    name: 'a Host that a page bound to loopback',
    rfc: '9110 §7.4',
    why: 'DNS rebinding: the browser believes to speak to the page’s own server',
    plainOnly: true,
    bytes: raw(`${GET}\r\nHost: rebound.example\r\n\r\n`),
  }),
  refused(403, 'foreign_origin', {
    name: 'the Origin of a page',
    rfc: '6454 §7',
    why: 'a page may not spend the user’s credentials',
    plainOnly: true,
    bytes: message(POST, ['Origin: https://hidden.example', 'Content-Length: 0']),
  }),
];
