import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { DirectiveError, readDirectives } from './control.ts';

test('a prompt without directives has none', () => {
  assert.equal(readDirectives('just [a] text with {braces}', 0), null);
});

test('content keeps its order, delivery its values', () => {
  const read = readDirectives(
    'do [twin: say one two] then [twin: tool Read {"path":"a]b"}][twin: text 5 words]' +
      '[twin: events 3][twin: pause 7][twin: pause 9 after=2][twin: gap 1][twin: chunk 16]' +
      '[twin: encoding br][twin: stop refusal]',
    0,
  );
  assert.deepEqual(read?.content, [
    { kind: 'say', text: 'one two' },
    { kind: 'tool', name: 'Read', input: '{"path":"a]b"}' },
    { kind: 'text', words: 5 },
    { kind: 'events', count: 3 },
  ]);
  assert.equal(read?.pauseMs, 7);
  assert.deepEqual([...(read?.pausesAfter ?? [])], [[2, 9]]);
  assert.equal(read?.gapMs, 1);
  assert.equal(read?.chunkBytes, 16);
  assert.equal(read?.encoding, 'br');
  assert.equal(read?.stop, 'refusal');
});

test('a directive inside the input of a tool belongs to whoever gets it', () => {
  const inner = '[twin: tool Bash {"command":"echo \\"]}\\""}]';
  const outer = `[twin: tool Agent ${JSON.stringify({ prompt: inner })}]`;
  const read = readDirectives(outer, 0);
  assert.equal(read?.content.length, 1);
  const [tool] = read?.content ?? [];
  assert(tool?.kind === 'tool');
  assert.deepEqual(JSON.parse(tool.input), { prompt: inner });
});

test('`then` parts the turns', () => {
  const prompt = '[twin: say a][twin: then][twin: say b]';
  assert.deepEqual(readDirectives(prompt, 0)?.content, [{ kind: 'say', text: 'a' }]);
  assert.deepEqual(readDirectives(prompt, 1)?.content, [{ kind: 'say', text: 'b' }]);
  assert.equal(readDirectives(prompt, 2), null);
});

test('a status takes its code, its retry fields and a number of tries', () => {
  const read = readDirectives('[twin: status 429 code=1302 retry-after=3 times=1]', 0);
  assert.deepEqual(read?.status, {
    status: 429,
    code: '1302',
    retryAfter: '3',
    shouldRetry: null,
    times: 1,
  });
});

for (const bad of [
  '[twin: dance]',
  '[twin: text]',
  '[twin: text -1]',
  '[twin: text 99999999999]',
  '[twin: tool Read {"a":}]',
  '[twin: tool Read {"a":1]',
  '[twin: status 200]',
  '[twin: encoding rot13]',
  '[twin: say no end',
]) {
  test(`what can not be read is refused: ${bad}`, () => {
    assert.throws(() => readDirectives(bad, 0), DirectiveError);
  });
}

test('any JSON object survives as the input of a tool', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.json()), (input) => {
      const read = readDirectives(`x [twin: tool T ${JSON.stringify(input)}] y`, 0);
      const [tool] = read?.content ?? [];
      assert(tool?.kind === 'tool');
      assert.deepEqual(JSON.parse(tool.input), JSON.parse(JSON.stringify(input)));
    }),
  );
});

test('any text at all is read or refused, never more', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        readDirectives(`[twin:${text}`, 0);
      } catch (error) {
        assert(error instanceof DirectiveError);
      }
    }),
  );
});
