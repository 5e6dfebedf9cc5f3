/**
 * A request for a passthrough lane: the client's own, byte for byte (contract, rules of a lane, 1).
 *
 * Names, case, values, order and repetition of fields stay. Only these differ: hop-by-hop fields are
 * gone (RFC 9110 section 7.6.1), `Host` names the upstream in its old place, and a request that came
 * by HTTP/2 gets the framing that HTTP/1.1 needs and its cookie crumbs joined (RFC 9113 section 8.2.3).
 * `Accept-Encoding` is not touched: the tap decodes a copy.
 */
import { endToEnd, fieldValues, listMembers, lowerName, without } from '../core/fields.ts';
import type { Field, RequestHead } from '../core/message.ts';
import { identityOf } from './identity.ts';
import type { LaneRequest, PreparedRequest } from './lane.ts';
import { upstreamTarget } from './target.ts';

/** What preparing needs to know of the lane. */
export interface PassthroughRules {
  readonly lane: string;
  /** The upstream's authority without its scheme's default port. */
  readonly authority: string;
  readonly basePath: string;
  readonly protocol: PreparedRequest['protocol'];
}

/** The request as it leaves on a passthrough lane. The isolation check is the caller's. */
export function preparePassthrough(rules: PassthroughRules, request: LaneRequest): PreparedRequest {
  const { head, body } = request;
  let fields = forwardedFields(head, rules.authority, body !== null);
  if (request.clientProtocol === 'h2') fields = joinCookies(fields);
  const heldLength = body === null ? null : totalLength(body);
  let { framing } = head;
  if (framing.kind === 'stream') {
    if (heldLength === null) {
      fields.push(['transfer-encoding', 'chunked']);
    } else {
      fields.push(['content-length', String(heldLength)]);
      framing = { kind: 'length', length: heldLength };
    }
  }
  return {
    method: head.method,
    target: upstreamTarget(rules.basePath, head.method, head.target),
    fields,
    framing,
    body,
    protocol: head.upgrade === null ? rules.protocol : 'h1',
    identity: identityOf(rules.lane, fields),
    upgrade: head.upgrade,
    modelSent: request.model,
    headerMode: null,
  };
}

function totalLength(body: readonly Buffer[]): number {
  let length = 0;
  for (const piece of body) length += piece.length;
  return length;
}

function forwardedFields(head: RequestHead, authority: string, held: boolean): Field[] {
  const kept = head.upgrade === null ? endToEnd(head.fields) : withUpgrade(head);
  const fields: Field[] = [];
  let hostSeen = false;
  for (const field of kept) {
    const name = lowerName(field[0]);
    if (name === 'host') {
      if (!hostSeen) fields.push([field[0], authority]);
      hostSeen = true;
    } else if (name === 'expect' && held) {
      // The body is here already: nobody waits for a 100 any more (RFC 9110 section 10.1.1).
    } else {
      fields.push(field);
    }
  }
  if (!hostSeen) fields.unshift(['Host', authority]);
  return fields;
}

/** End-to-end fields, with `Connection` and `Upgrade` for the hop to the upstream in their places. */
function withUpgrade(head: RequestHead): Field[] {
  const kept = endToEnd(head.fields);
  const onlyUpgrade = listMembers(head.fields, 'connection').every((token) => token === 'upgrade');
  const fields: Field[] = [];
  let next = 0;
  let connectionSeen = false;
  for (const field of head.fields) {
    const name = field[0].toLowerCase();
    if (field === kept[next]) {
      fields.push(field);
      next += 1;
    } else if (name === 'upgrade') {
      fields.push(field);
    } else if (name === 'connection' && !connectionSeen) {
      fields.push(onlyUpgrade ? field : [field[0], 'Upgrade']);
      connectionSeen = true;
    }
  }
  return fields;
}

function joinCookies(fields: Field[]): Field[] {
  const crumbs = fieldValues(fields, 'cookie');
  if (crumbs.length < 2) return fields;
  const at = fields.findIndex(([name]) => name.toLowerCase() === 'cookie');
  const joined = without(fields, 'cookie');
  joined.splice(at, 0, ['cookie', crumbs.join('; ')]);
  return joined;
}
