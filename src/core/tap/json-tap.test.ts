import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../../test/support/properties.ts';
import {
  anyNode,
  choices,
  chooser,
  type Node,
  objectWith,
  parsed,
  pieces,
  spell,
} from '../json/testing/texts.ts';
import { KEY_VALUE_BYTES_MAX, TAP_VALUE_BYTES_MAX } from '../limits.ts';
import { createJsonTap } from './json-tap.ts';
import type { AnswerFacts } from './sse-tap.ts';

function tap(parts: readonly Buffer[]): AnswerFacts {
  const json = createJsonTap();
  for (const part of parts) json.push(part);
  return json.finish();
}

function tapText(text: string): AnswerFacts {
  return tap([Buffer.from(text)]);
}

const MESSAGE = JSON.stringify({
  id: 'msg_1',
  type: 'message',
  model: 'glm-4.5-air',
  content: [{ type: 'error', text: '"usage":{"output_tokens":99}', model: 'x', usage: 1 }],
  usage: {
    input_tokens: 12,
    cache_creation_input_tokens: 3,
    cache_read_input_tokens: 4,
    output_tokens: 6,
    server_tool_use: null,
  },
});

const NOTHING: AnswerFacts = {
  events: 0,
  sawStop: false,
  sawError: false,
  errorType: null,
  errorCode: null,
  modelServed: null,
  usage: { inputTokens: null, outputTokens: null, cacheReadTokens: null, cacheWriteTokens: null },
  violations: 0,
  lost: false,
};

describe('the tap of a JSON answer', () => {
  it('reads a message, in pieces of any size', () => {
    const bytes = Buffer.from(MESSAGE);
    for (let size = 1; size <= bytes.length; size += 1) {
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
      assert.deepEqual(tap(parts), {
        ...NOTHING,
        sawStop: true,
        modelServed: 'glm-4.5-air',
        usage: { inputTokens: 12, outputTokens: 6, cacheReadTokens: 4, cacheWriteTokens: 3 },
      });
    }
  });

  it('does not call a truncated message stopped', () => {
    for (let at = 0; at < MESSAGE.length; at += 1) {
      assert.equal(tapText(MESSAGE.slice(0, at)).sawStop, false);
    }
  });

  const errors: readonly (readonly [body: string, type: string | null, code: string | null])[] = [
    ['{"type":"error","error":{"type":"not_found_error","message":"m"}}', 'not_found_error', null],
    ['{"type":"error","error":{"type":"1113","message":"m"}}', '1113', '1113'],
    ['{"error":{"code":"1302","message":"m"}}', null, '1302'],
    ['{"error":{"message":"[1305][busy]"}}', null, '1305'],
    ['{"error":"invalid","code":401}', null, '401'],
    ['{"type":"error"}', null, null],
  ];
  for (const [body, type, code] of errors) {
    it(`reports the error of ${body}`, () => {
      const facts = { ...NOTHING, sawStop: true, sawError: true, errorType: type, errorCode: code };
      assert.deepEqual(tapText(body), facts);
    });
  }

  it('sees no error where `error` is null', () => {
    assert.equal(tapText('{"type":"message","error":null}').sawError, false);
  });

  it('takes no count of tokens for tokens spent', () => {
    assert.deepEqual(tapText('{"input_tokens":14}'), { ...NOTHING, sawStop: true });
  });

  it('learns nothing from what is no JSON object', () => {
    for (const body of ['', '<html>413</html>', '[1]', 'null', '"type":"error"']) {
      assert.deepEqual(tapText(body), NOTHING);
    }
  });

  it('takes nothing for a member of another type', () => {
    const facts = tapText('{"model":5,"usage":"no","type":{"error":1}}');
    assert.deepEqual(facts, { ...NOTHING, sawStop: true });
  });

  it('reads values up to their bounds and says when it let go', () => {
    const usage = (bytes: number): string => {
      const head = '{"output_tokens":6,"pad":"';
      return `{"usage":${head}${'x'.repeat(bytes - head.length - 2)}"}}`;
    };
    const kept = tapText(usage(TAP_VALUE_BYTES_MAX));
    assert.deepEqual([kept.usage.outputTokens, kept.lost, kept.sawStop], [6, false, true]);
    const over = tapText(usage(TAP_VALUE_BYTES_MAX + 1));
    assert.deepEqual([over.usage.outputTokens, over.lost, over.sawStop], [null, true, true]);
    for (const length of [KEY_VALUE_BYTES_MAX + 1, TAP_VALUE_BYTES_MAX + 1]) {
      const long = tapText(`{"model":"${'m'.repeat(length)}"}`);
      assert.deepEqual([long.modelServed, long.lost], [null, true]);
    }
  });

  it('finds the same facts for any spelling and cut, and never throws', () => {
    const named = objectWith('type', 'model', 'usage', 'error', 'code', 'output_tokens');
    const nested = (node: Node): Node => ({ t: 'object', members: [['usage', node]] });
    const root = fc.oneof(named, named.map(nested), anyNode);
    const property = fc.property(root, choices, choices, (node, spelling, cutting) => {
      const bytes = Buffer.from(spell(node, chooser(spelling)));
      const plain = tapText(JSON.stringify(parsed(bytes)));
      assert.deepEqual(tap(pieces(bytes, chooser(cutting))), plain);
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
