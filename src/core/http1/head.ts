/**
 * Heads: from the lines of a section to what the rest of the program reads.
 *
 * The lines are already free of control characters (`section.ts`).
 */

import { parseHostField } from '../authority.ts';
import type { Framing, RequestHead, ResponseHead } from '../message.ts';
import { type Facts, gatherFacts, listHas } from './facts.ts';
import { parseFieldLines } from './field-lines.ts';
import { isKeptAlive, requestFraming, responseFraming } from './framing.ts';
import { isRefusal, refuse } from './refusal.ts';
import type { Section } from './section.ts';
import { parseRequestLine, parseStatusLine } from './start-line.ts';
import type { CodecError } from './types.ts';

/** Reads the head of a request. */
export function parseRequestHead(section: Section): RequestHead | CodecError {
  const { text } = section;
  const lineEnd = text.indexOf('\r\n');
  const line = parseRequestLine(text.slice(0, lineEnd));
  if (isRefusal(line)) return line;
  const fields = parseFieldLines(section, lineEnd + 2);
  if (isRefusal(fields)) return fields;
  const facts = gatherFacts(fields);
  const { method, target, version } = line;
  if (!isHostValid(version, facts)) {
    return refuse('bad_host', 'a request has exactly one valid Host field (RFC 9112, 3.2)');
  }
  const framing = requestFraming(method, version, facts);
  if (isRefusal(framing)) return framing;
  return {
    method,
    target,
    version,
    fields,
    framing,
    keepAlive: isKeptAlive(version, facts),
    upgrade: upgradeOf(version, facts),
    expectContinue: version === '1.1' && hasBody(framing) && listHas(facts.expect, '100-continue'),
  };
}

/** Reads the head of an answer to a request with that method. */
export function parseResponseHead(section: Section, method: string): ResponseHead | CodecError {
  const { text } = section;
  const lineEnd = text.indexOf('\r\n');
  const line = parseStatusLine(text.slice(0, lineEnd));
  if (isRefusal(line)) return line;
  const fields = parseFieldLines(section, lineEnd + 2);
  if (isRefusal(fields)) return fields;
  const facts = gatherFacts(fields);
  const { version, status, reason } = line;
  if (status === 101 && upgradeOf(version, facts) === null) {
    return refuse('bad_framing', '101 without the protocol it switches to (RFC 9110, 7.8)');
  }
  const framing = responseFraming(method, version, status, facts);
  if (isRefusal(framing)) return framing;
  if (isInterim(status) && !isKeptAlive(version, facts)) {
    return refuse('bad_framing', 'an interim answer with no way to a final one (RFC 9110, 15.2)');
  }
  const keepAlive = framing.kind !== 'close' && isKeptAlive(version, facts);
  return { status, reason, version, fields, framing, keepAlive };
}

/** One valid Host, on HTTP/1.0 one or none. Also where the target is absolute (section 3.2.2). */
function isHostValid(version: '1.0' | '1.1', facts: Facts): boolean {
  if (facts.host === null) return version === '1.0';
  return parseHostField(facts.host) !== null;
}

/** Further requests by another framing: who let them pass unread would be no proxy any more. */
const HTTP = ['h2c', 'h2', 'http/2.0', 'http/1.1'];

/**
 * The protocol asked for; `Upgrade` counts only where `Connection` names it (RFC 9110, 7.8), and never
 * where it offers HTTP itself: `h2c` by upgrade is withdrawn (RFC 9113, 3.1), and nobody need take it.
 */
function upgradeOf(version: '1.0' | '1.1', facts: Facts): string | null {
  const { connection, upgrade } = facts;
  if (version === '1.0' || upgrade === null || upgrade === '') return null;
  if (HTTP.some((protocol) => listHas(upgrade, protocol))) return null;
  return listHas(connection, 'upgrade') ? upgrade.toLowerCase() : null;
}

function isInterim(status: number): boolean {
  return status < 200 && status !== 101;
}

function hasBody(framing: Framing): boolean {
  return framing.kind === 'chunked' || (framing.kind === 'length' && framing.length > 0);
}
