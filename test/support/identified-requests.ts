/**
 * Generated `POST /v1/messages` requests for Haiku that say who their client is, in every place where
 * Claude Code and its surroundings do; and the body that may be left of them on a keyed lane, made from
 * the same parts by a rule of its own.
 */
import fc from './properties.ts';
import type { Line } from './recording-upstream.ts';

/** Stands in everything that a keyed lane may not carry. */
export const CANARY = 'CANARY-7f3a';

/** What a keyed lane carries of a client's head (contract, rules of a lane, 2). */
export const ALLOWED_FIELDS = [
  'content-type',
  'accept',
  'accept-encoding',
  'anthropic-version',
  'anthropic-beta',
  'user-agent',
] as const;

export interface IdentifiedRequest {
  readonly target: string;
  /** With framing, without Host. */
  readonly fields: readonly Line[];
  readonly payload: Buffer;
  /** The payload as it is framed. */
  readonly wire: Buffer;
  /** What is left of it: the model renamed, the user id and the attribution block cut. */
  readonly expected: Buffer;
}

/** A text as it is sent, and what is to arrive; null where it is cut. */
interface Part {
  readonly sent: string;
  readonly left: string | null;
}

/** A part of a list, with the white space around it. */
interface Item extends Part {
  readonly before: string;
  readonly after: string;
}

const HAIKU = 'claude-haiku-5-5';
const RENAMED = 'glm-4.5-air';
const UUID = `00000000-0000-4000-8000-${CANARY}`;

const gap = fc.constantFrom('', '', ' ', '\n  ', '\t');
const same = (text: string): Part => ({ sent: text, left: text });

/**
 * A list within brackets. A part that is cut goes with what stands between it and the part before it
 * or, where it is the first, with what stands between it and the one behind.
 */
function listOf(open: string, close: string, parts: readonly Part[]): fc.Arbitrary<Part> {
  return fc
    .array(fc.tuple(gap, gap), { minLength: parts.length, maxLength: parts.length })
    .map((gaps) => {
      const items = parts.map((part, i): Item => {
        const [before, after] = gaps[i] ?? ['', ''];
        return { ...part, before, after };
      });
      const sent = items.map((item) => item.before + item.sent + item.after).join(',');
      return { sent: open + sent + close, left: open + leftOf(items) + close };
    });
}

function leftOf(items: readonly Item[]): string {
  const kept: Item[] = [];
  for (const [i, item] of items.entries()) {
    const before = kept.at(-1);
    if (item.left !== null) {
      // Behind a part that was cut at the front, its white space is what is left.
      const first = items[i - 1]?.left === null && before === undefined;
      kept.push(first ? { ...item, before: items[0]?.before ?? '' } : item);
    } else if (before !== undefined) {
      kept[kept.length - 1] = { ...before, after: item.after };
    } else if (items.length === 1) {
      return item.before + item.after;
    }
  }
  return kept.map((item) => item.before + item.left + item.after).join(',');
}

const member = (name: string, value: Part): fc.Arbitrary<Part> =>
  fc.tuple(gap, gap).map(([a, b]) => {
    const key = `${JSON.stringify(name)}${a}:${b}`;
    return { sent: key + value.sent, left: value.left === null ? null : key + value.left };
  });

const userId = fc.constantFrom(
  `user_${CANARY}_account_${UUID}_session_${UUID}`,
  JSON.stringify({ device_id: CANARY, account_uuid: UUID, session_id: UUID }),
);

/** Anything JSON that holds nothing of the client; keys that look like the edited ones included. */
const filler = fc
  .oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom({ model: HAIKU, user_id: 'x' }, [[]], '}'))
  .map((value) => same(JSON.stringify(value)));

const metadata: fc.Arbitrary<Part> = fc
  .tuple(userId, fc.array(filler, { maxLength: 2 }), fc.nat(2))
  .chain(([id, others, at]) => {
    const doomed = member('user_id', { sent: JSON.stringify(id), left: null });
    const members = others.map((value, i) => member(`other${i}`, value));
    return fc.tuple(...members.toSpliced(at, 0, doomed));
  })
  .chain((members) => listOf('{', '}', members));

/** The attribution block as Claude Code writes it, also spelt with an escape. */
const attribution: fc.Arbitrary<Part> = fc
  .constantFrom('x-anthropic-billing-header:', '\\u0078-anthropic-billing-header:')
  .map((start) => ({
    sent: `{"type":"text","text":"${start} cc_version=2.1; cch=${CANARY};"}`,
    left: null,
  }));

const systemText = fc
  .tuple(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.boolean())
  .map(([text, cached]) =>
    same(
      JSON.stringify({
        type: 'text',
        text: `You are ${text}`,
        ...(cached ? { cache_control: { type: 'ephemeral' } } : {}),
      }),
    ),
  );

const system: fc.Arbitrary<Part> = fc.oneof(
  fc
    .tuple(attribution, fc.array(systemText, { maxLength: 3 }), fc.nat(3))
    .chain(([block, texts, at]) => listOf('[', ']', texts.toSpliced(at, 0, block))),
  fc.constant(same('"Be brief."')),
);

const messages = fc
  .string({ unit: 'grapheme', maxLength: 300 })
  .map((content) => same(JSON.stringify([{ role: 'user', content }])));

const body: fc.Arbitrary<Part> = fc
  .tuple(metadata, system, messages, filler, fc.boolean())
  .chain(([meta, sys, msgs, extra, stream]) =>
    fc.tuple(
      member('model', { sent: `"${HAIKU}"`, left: `"${RENAMED}"` }),
      member('metadata', meta),
      member('system', sys),
      member('messages', msgs),
      member('temperature', extra),
      member('stream', same(String(stream))),
    ),
  )
  .chain((members) => fc.shuffledSubarray(members, { minLength: members.length }))
  .chain((members) => listOf('{', '}', members));

const allowed: fc.Arbitrary<Line[]> = fc
  .record({
    type: fc.constantFrom('application/json', 'application/json; charset=utf-8'),
    beta: fc.subarray(['oauth-2025-04-20', 'context-1m-2025-08-07', 'claude-code-20250219']),
    coding: fc.constantFrom('gzip, deflate, br, zstd', 'identity', ''),
  })
  .map(({ type, beta, coding }): Line[] => [
    ['Content-Type', type],
    ['anthropic-version', '2023-06-01'],
    ...beta.map((name): Line => ['anthropic-beta', name]),
    ['Accept', 'application/json'],
    ...(coding === '' ? [] : [['Accept-Encoding', coding] as const]),
    ['User-Agent', 'claude-cli/2.1.330 (external, cli)'],
  ]);

/** Where a client says who it is, or what only its own provider need know. */
const identifying: fc.Arbitrary<Line[]> = fc.subarray<Line>([
  ['x-api-key', `sk-ant-api03-${CANARY}`],
  ['Authorization', `Bearer sk-ant-oat01-${CANARY}`],
  ['Cookie', `sessionKey=${CANARY}; cf_clearance=${CANARY}`],
  ['Proxy-Authorization', `Basic ${CANARY}`],
  ['x-claude-code-session-id', UUID],
  ['X-Claude-Code-Agent-Id', CANARY],
  ['x-claude-remote-container-id', CANARY],
  ['anthropic-organization-id', UUID],
  ['Anthropic-Organization', CANARY],
  ['x-organization-uuid', UUID],
  ['x-client-request-id', UUID],
  ['x-anthropic-additional-protection', CANARY],
  ['anthropic-dangerous-direct-browser-access', CANARY],
  ['x-app', CANARY],
  ['x-stainless-runtime', CANARY],
  ['traceparent', CANARY],
  ['Referer', `https://${CANARY}.example/`],
  ['From', `${CANARY}@example.test`],
  ['X-Forwarded-For', CANARY],
]);

/** Any request that is to take the keyed lane. */
export const anyIdentifiedRequest: fc.Arbitrary<IdentifiedRequest> = fc
  .tuple(
    body,
    allowed,
    identifying,
    fc.constantFrom('/v1/messages', '/v1/messages?beta=true', '/v1/messages/count_tokens?a=%20b'),
    fc.boolean(),
  )
  .chain(([{ sent, left }, common, personal, target, chunked]) => {
    const payload = Buffer.from(sent);
    const framing: Line = chunked
      ? ['Transfer-Encoding', 'chunked']
      : ['Content-Length', String(payload.length)];
    const size = payload.length.toString(16);
    const wire = chunked ? Buffer.from(`${size}\r\n${sent}\r\n0\r\n\r\n`) : payload;
    const all: Line[] = [...common, ...personal, framing];
    return fc.shuffledSubarray(all, { minLength: all.length }).map((fields) => ({
      target,
      fields,
      payload,
      wire,
      expected: Buffer.from(left ?? ''),
    }));
  });
