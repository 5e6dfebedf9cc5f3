/**
 * The tap against a parser written plainly from the standard, over streams spelt and cut in every way.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { choices, chooser, isObject, mutated, pieces } from '../json/testing/texts.ts';
import { type AnswerFacts, createSseTap } from './sse-tap.ts';
import { plainEvents } from './testing/plain-events.ts';

function tap(parts: readonly Buffer[]): AnswerFacts {
  const sse = createSseTap();
  for (const part of parts) sse.push(part);
  return sse.finish();
}

function naiveParse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Facts by way of whole parsed events; violations are tested elsewhere. */
function naiveFacts(bytes: Buffer): Omit<AnswerFacts, 'violations' | 'lost'> {
  const events = plainEvents(bytes).map(({ name, data }) => {
    const value = naiveParse(data);
    const type = typeof value['type'] === 'string' ? value['type'] : '';
    const bare = typeof value['type'] !== 'string' && isObject(value['error']) ? 'error' : type;
    return { kind: name === '' ? bare : name, value };
  });
  const usages: Record<string, unknown>[] = [];
  let modelServed: string | null = null;
  for (const { kind, value } of events) {
    const message = isObject(value['message']) ? value['message'] : {};
    const from = kind === 'message_start' ? message['usage'] : value['usage'];
    if (kind === 'message_start' && typeof message['model'] === 'string') {
      modelServed = message['model'];
    }
    if ((kind === 'message_start' || kind === 'message_delta') && isObject(from)) usages.push(from);
  }
  const last = (key: string): number | null => {
    const found = usages.map((usage) => usage[key]).filter((count) => typeof count === 'number');
    return found.at(-1) ?? null;
  };
  const errors = events.filter(({ kind }) => kind === 'error').map(({ value }) => value['error']);
  const types = errors.map((error) => (isObject(error) ? error['type'] : undefined));
  const errorType = types.filter((type) => typeof type === 'string').at(-1) ?? null;
  const numeric = types.filter((type) => typeof type === 'string' && /^\d+$/.test(type)).at(-1);
  return {
    events: events.length,
    sawStop: events.some(({ kind }) => kind === 'message_stop'),
    sawError: errors.length > 0,
    errorType,
    errorCode: typeof numeric === 'string' ? numeric : null,
    modelServed,
    usage: {
      inputTokens: last('input_tokens'),
      outputTokens: last('output_tokens'),
      cacheReadTokens: last('cache_read_input_tokens'),
      cacheWriteTokens: last('cache_creation_input_tokens'),
    },
  };
}

const anyUsage = fc.record(
  {
    input_tokens: fc.option(fc.nat(9)),
    output_tokens: fc.nat(9999),
    cache_read_input_tokens: fc.option(fc.nat()),
    cache_creation_input_tokens: fc.nat(3),
  },
  { requiredKeys: [] },
);
const NAMES = ['message_start', 'message_delta', 'message_stop', 'error', 'ping'];
const MORE_NAMES = ['content_block_start', 'content_block_delta', 'content_block_stop', 'new_one'];
const anyData = fc.oneof(
  fc
    .record(
      {
        type: fc.constantFrom(...NAMES, ...MORE_NAMES),
        message: fc.record(
          { model: fc.constantFrom('glm', 'claude-é😀'), usage: anyUsage },
          { requiredKeys: [] },
        ),
        usage: anyUsage,
        error: fc.record({
          type: fc.constantFrom('overloaded_error', '1302'),
          message: fc.string(),
        }),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value, null, value.type === undefined ? 1 : 0)),
  fc.constantFrom('', '[DONE]', '{"type":', '{"error":{"type":"1113"}}', 'null', '"x"'),
);

const anyEvent = fc
  .record({
    name: fc.option(fc.constantFrom(...NAMES, ...MORE_NAMES, '')),
    data: anyData,
    noise: fc.constantFrom('', ': comment', 'id: 3', 'datax: 1', 'event : ping', 'retry', 'e', 'd'),
    space: fc.constantFrom(' ', ''),
    nameFirst: fc.boolean(),
  })
  .map(({ name, data, noise, space, nameFirst }) => {
    const named = name === null ? [] : [`event:${space}${name}`];
    const lines = data.split('\n').map((line) => `data:${space}${line}`);
    const all = nameFirst ? [...named, ...lines] : [...lines, ...named];
    return noise === '' ? [...all, ''] : [noise, ...all, ''];
  });

const anyStream = fc
  .tuple(fc.boolean(), fc.array(anyEvent, { maxLength: 8 }), choices)
  .map(([marked, events, ends]) => {
    const choose = chooser(ends);
    let text = marked ? '\ufeff' : '';
    for (const line of events.flat()) {
      // A blank line that ends in LF would only complete the CRLF of the line before it.
      const allowed = line === '' && text.endsWith('\r') ? ['\r', '\r\n'] : ['\n', '\r\n', '\r'];
      text += line + (allowed[choose(allowed.length)] ?? '');
    }
    return Buffer.from(text);
  });

describe('the tap of an event stream against a plain parser', () => {
  it('finds the same facts in every stream, however it is spelt and cut', () => {
    const property = fc.property(anyStream, choices, (bytes, cutting) => {
      const { violations, lost, ...facts } = tap(pieces(bytes, chooser(cutting)));
      assert.deepEqual(facts, naiveFacts(bytes));
      assert.equal(lost, false);
      assert.equal(violations, tap([bytes]).violations);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('counts the same events in damaged streams, and learns the same for any cut', () => {
    const change = fc.tuple(fc.nat(), fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(10, 13, 58)));
    const property = fc.property(anyStream, choices, change, (stream, cutting, [way, at, byte]) => {
      const bytes = mutated(stream, way, at, byte);
      const facts = tap(pieces(bytes, chooser(cutting)));
      assert.equal(facts.events, plainEvents(bytes).length);
      assert.deepEqual(facts, tap([bytes]));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('never throws, whatever the bytes', () => {
    const byte = fc.oneof(fc.constantFrom(...Buffer.from('data:event \r\n\ufeff{}')), fc.nat(255));
    const property = fc.property(fc.array(byte, { maxLength: 100 }), choices, (list, cutting) => {
      const bytes = Buffer.from(list);
      assert.deepEqual(tap(pieces(bytes, chooser(cutting))), tap([bytes]));
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
