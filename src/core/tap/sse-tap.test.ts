import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TAP_LINE_BYTES_MAX } from '../limits.ts';
import { type AnswerFacts, createSseTap } from './sse-tap.ts';

function tap(parts: readonly Buffer[]): AnswerFacts {
  const sse = createSseTap();
  for (const part of parts) sse.push(part);
  return sse.finish();
}

function tapText(text: string): AnswerFacts {
  return tap([Buffer.from(text)]);
}

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;
}

const START = event('message_start', {
  message: {
    id: 'msg_1',
    model: 'glm-4.5-air',
    usage: { input_tokens: 25, output_tokens: 1, cache_read_input_tokens: 7 },
  },
});
const BLOCK =
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }) +
  event('ping', {}) +
  event('content_block_delta', {
    index: 0,
    delta: { type: 'text_delta', text: 'héllo 😀 "\\n"' },
  }) +
  event('content_block_stop', { index: 0 });
const END =
  event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 15 } }) +
  event('message_stop', {});
const MESSAGE = START + BLOCK + END;

const WHOLE: AnswerFacts = {
  events: 7,
  sawStop: true,
  sawError: false,
  errorType: null,
  errorCode: null,
  modelServed: 'glm-4.5-air',
  usage: { inputTokens: 25, outputTokens: 15, cacheReadTokens: 7, cacheWriteTokens: null },
  violations: 0,
  lost: false,
};

describe('the tap of an event stream', () => {
  for (const [name, text] of [
    ['LF', MESSAGE],
    ['CRLF', MESSAGE.replaceAll('\n', '\r\n')],
    ['CR', MESSAGE.replaceAll('\n', '\r')],
    ['a byte order mark', `\ufeff${MESSAGE}`],
    ['no space behind the colon', MESSAGE.replaceAll(': ', ':')],
    ['the data before the name', MESSAGE.replaceAll(/(event: \w+)\n(data: .*)\n/g, '$2\n$1\n')],
    ['no names at all', MESSAGE.replaceAll(/event: \w+\n/g, '')],
    ['empty names', MESSAGE.replaceAll(/event: \w+\n/g, 'event:\n')],
    [
      'comments, ids and unknown fields',
      MESSAGE.replaceAll('data:', ': data\nid: 7\ndataset: 1\nx\ndata:'),
    ],
  ] as const) {
    it(`reads a whole message, with ${name}, in pieces of any size`, () => {
      const bytes = Buffer.from(text);
      for (const size of [1, 2, 3, 7, 8, 97, bytes.length]) {
        const parts: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
        assert.deepEqual(tap(parts), WHOLE, `pieces of ${size}`);
      }
    });
  }

  it('counts an event only when a blank line dispatches it', () => {
    assert.equal(tapText('data: 1').events, 0);
    assert.equal(tapText('data: 1\n').events, 0);
    assert.equal(tapText('data: 1\n\n').events, 1);
    assert.equal(tapText('data: 1\r\r').events, 1);
    assert.equal(tapText('data: 1\r\n\r\n').events, 1);
    assert.equal(tapText('data: 1\r\n').events, 0);
    assert.equal(tapText('\n\n\n').events, 0);
    assert.equal(tapText('event: message_stop\n\n').events, 0);
    assert.equal(tapText('event: message_stop\n\n').sawStop, false);
    assert.equal(tapText('data\n\ndata:\n\n').events, 2);
    assert.equal(tapText(': ping\n\n').events, 0);
  });

  it('does not call a stream stopped whose last blank line is missing', () => {
    const facts = tapText(MESSAGE.slice(0, -1));
    assert.equal(facts.sawStop, false);
    assert.equal(facts.usage.outputTokens, 15);
  });

  it('joins the data lines of one event', () => {
    const facts = tapText(
      'event: message_start\ndata: {"message":\ndata: {"model"\ndata:: "m"}}\n\n',
    );
    assert.equal(facts.modelServed, 'm');
  });

  it('lets the last count of each field win and adds none', () => {
    const delta = (usage: object): string => event('message_delta', { usage });
    const facts = tapText(
      START +
        delta({ output_tokens: 4, input_tokens: 30 }) +
        delta({ output_tokens: 9, cache_creation_input_tokens: 2, cache_read_input_tokens: null }),
    );
    assert.deepEqual(facts.usage, {
      inputTokens: 30,
      outputTokens: 9,
      cacheReadTokens: 7,
      cacheWriteTokens: 2,
    });
  });

  it('takes a restated zero as the last word', () => {
    const facts = tapText(START + event('message_delta', { usage: { input_tokens: 0 } }));
    assert.equal(facts.usage.inputTokens, 0);
  });

  it('takes nothing for a count that is none', () => {
    for (const bad of [-1, 1.5, '3', true, {}, 1e300]) {
      const facts = tapText(START + event('message_delta', { usage: { output_tokens: bad } }));
      assert.equal(facts.usage.outputTokens, 1);
    }
  });

  it('reports an error in the middle of a stream', () => {
    const error = { error: { type: 'overloaded_error', message: 'Overloaded' } };
    const facts = tapText(START + event('error', error));
    assert.equal(facts.sawError, true);
    assert.equal(facts.errorType, 'overloaded_error');
    assert.equal(facts.errorCode, null);
    assert.equal(facts.sawStop, false);
    assert.equal(facts.violations, 0);
  });

  const codes: readonly (readonly [error: object, type: string | null, code: string])[] = [
    [{ error: { type: '1113', message: 'balance' } }, '1113', '1113'],
    [{ error: { code: '1302', message: 'concurrency' } }, null, '1302'],
    [{ error: { code: 1305 } }, null, '1305'],
    [{ error: { type: 'api_error' }, code: 1234 }, 'api_error', '1234'],
    [{ error: { type: 'rate_limit_error', message: '[1308][cap]' } }, 'rate_limit_error', '1308'],
  ];
  for (const [error, type, code] of codes) {
    it(`finds the business code in ${JSON.stringify(error)}`, () => {
      const facts = tapText(event('error', error));
      assert.deepEqual([facts.errorType, facts.errorCode], [type, code]);
    });
  }

  it('knows an error without a name by its data', () => {
    const facts = tapText('data: {"error":{"code":"1234","message":"network"}}\n\n');
    assert.deepEqual([facts.sawError, facts.errorCode], [true, '1234']);
  });

  it('keeps no free text of an upstream', () => {
    const error = { error: { type: 'a b\nc', code: 'x'.repeat(65), message: 'secret [1302]' } };
    const facts = tapText(event('error', error));
    assert.deepEqual([facts.sawError, facts.errorType, facts.errorCode], [true, null, null]);
  });

  it('counts data that are no JSON as a problem and goes on', () => {
    const facts = tapText(`event: message_start\ndata: {"mess\n\n${BLOCK}${END}`);
    assert.equal(facts.violations, 1);
    assert.equal(facts.sawStop, true);
    assert.equal(facts.usage.outputTokens, 15);
  });

  it('takes an empty model name for none', () => {
    assert.equal(tapText(event('message_start', { message: { model: '' } })).modelServed, null);
  });

  it('passes over data of other makes', () => {
    const facts = tapText('data: [DONE]\n\ndata: {"object":"chat.completion.chunk"}\n\n');
    assert.deepEqual([facts.events, facts.violations, facts.lost], [2, 0, false]);
  });
});

describe('the bounds of the tap of an event stream', () => {
  const wide = (bytes: number): string => {
    const head = '{"message":{"model":"m","pad":"';
    return `${head}${'x'.repeat(bytes - head.length - 3)}"}}`;
  };
  for (const size of [61, 16 * 1024, 1 << 20]) {
    const cut = (text: string): AnswerFacts => {
      const bytes = Buffer.from(text);
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
      return tap(parts);
    };

    it(`keeps wanted data up to the bound and says when it let go, in pieces of ${size}`, () => {
      for (const field of ['data:', 'data: ']) {
        const start = (bytes: number): string => `event: message_start\n${field}${wide(bytes)}\n\n`;
        const kept = cut(start(TAP_LINE_BYTES_MAX) + END);
        assert.deepEqual([kept.modelServed, kept.lost, kept.events], ['m', false, 3]);
        const over = cut(start(TAP_LINE_BYTES_MAX + 1) + END);
        assert.deepEqual([over.modelServed, over.lost, over.events], [null, true, 3]);
        assert.equal(over.usage.outputTokens, 15);
      }
    });

    it(`does not mind how long unwanted data and other lines are, in pieces of ${size}`, () => {
      const long = 'x'.repeat(TAP_LINE_BYTES_MAX * 2);
      const text = `:${long}\nevent: content_block_delta\ndata: "${long}"\n${long}\nid: ${long}\n\n`;
      const facts = cut(START + text + END);
      assert.deepEqual([facts.events, facts.lost, facts.usage.outputTokens], [4, false, 15]);
    });

    it(`says when the data of a nameless event were too long, in pieces of ${size}`, () => {
      const facts = cut(`data: ${wide(TAP_LINE_BYTES_MAX + 1)}\n\n${MESSAGE}`);
      assert.deepEqual({ ...facts, lost: false }, { ...WHOLE, events: 8 });
      assert.equal(facts.lost, true);
    });

    it(`takes an endless name for an unknown one, in pieces of ${size}`, () => {
      const name = 'message_stop'.repeat(10_000);
      const facts = cut(`event: message_stop\nevent: ${name}\ndata: 1\n\n`);
      assert.deepEqual([facts.events, facts.sawStop, facts.lost], [1, false, false]);
    });

    it(`bounds what many data lines of one event add up to, in pieces of ${size}`, () => {
      const facts = cut(`event: error\n${'data\n'.repeat(TAP_LINE_BYTES_MAX + 2)}\n`);
      assert.deepEqual([facts.events, facts.sawError, facts.lost], [1, true, true]);
    });
  }

  it('knows a long line by its first bytes, however few of them came alone', () => {
    const long = `data: "${'x'.repeat(500)}"`;
    for (let first = 1; first < 8; first += 1) {
      const parts = ['event: message_stop\n', long.slice(0, first), `${long.slice(first)}\n\n`];
      assert.equal(tap(parts.map((part) => Buffer.from(part))).sawStop, true);
    }
  });

  it('takes half a byte order mark for the beginning of an unknown field', () => {
    const bytes = Buffer.concat([Buffer.from([0xef, 0xbb]), Buffer.from('data: 1\n\ndata: 2\n\n')]);
    for (let cut = 0; cut < 5; cut += 1) {
      assert.equal(tap([bytes.subarray(0, cut), bytes.subarray(cut)]).events, 1);
    }
  });

  it('lets go of a model name that is absurdly long', () => {
    const facts = tapText(event('message_start', { message: { model: 'm'.repeat(2000) } }));
    assert.deepEqual([facts.modelServed, facts.lost], [null, true]);
  });

  it('says so when a second name makes data wanted that it had skipped', () => {
    const facts = tapText('event: ping\ndata: {}\nevent: error\ndata: {}\n\n');
    assert.deepEqual([facts.sawError, facts.lost, facts.events], [true, true, 1]);
  });
});
