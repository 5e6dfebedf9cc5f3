import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { sdkClient } from '../../test/support/sdk.ts';
import { startTwin, type Twin } from './index.ts';

type Protocol = 'h1' | 'h2';

interface Bench {
  readonly twin: Twin;
  readonly client: Anthropic;
}

async function bench(
  context: { after(run: () => Promise<void>): void },
  protocol: Protocol = 'h1',
): Promise<Bench> {
  const twin = await startTwin();
  const { client, close } = sdkClient({
    route: { mode: 'direct', baseUrl: twin.anthropic.origin, ca: twin.anthropic.ca },
    protocol,
  });
  context.after(async () => {
    await close();
    await twin.close();
  });
  return { twin, client };
}

function ask(content: string, more: Partial<Anthropic.MessageCreateParamsNonStreaming> = {}) {
  return {
    model: 'claude-haiku-5-5',
    max_tokens: 4096,
    messages: [{ role: 'user' as const, content }],
    ...more,
  };
}

function textOf(message: Anthropic.Message): string {
  return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

for (const protocol of ['h1', 'h2'] as const) {
  test(`${protocol}: a message, streamed or not, says the same`, async (t) => {
    const { client, twin } = await bench(t, protocol);
    const whole = await client.messages.create(
      ask('[twin: say seven short words are quite enough here]'),
    );
    const streamed = await client.messages
      .stream(ask('[twin: say seven short words are quite enough here]'))
      .finalMessage();
    assert.equal(textOf(whole), 'seven short words are quite enough here');
    assert.equal(textOf(streamed), textOf(whole));
    assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
    assert.equal(whole.stop_reason, 'end_turn');
    assert(twin.anthropic.requests().every((request) => request.protocol === protocol));
  });

  test(`${protocol}: thinking comes with its signature before the text`, async (t) => {
    const { client } = await bench(t, protocol);
    const message = await client.messages
      .stream(ask('hello', { thinking: { type: 'enabled', budget_tokens: 1024 } }))
      .finalMessage();
    const [thinking, text] = message.content;
    assert(thinking?.type === 'thinking');
    assert.notEqual(thinking.thinking, '');
    assert.notEqual(thinking.signature, '');
    assert(text?.type === 'text');
    assert.equal(text.text, 'ok from anthropic');
  });

  test(`${protocol}: a tool use arrives in partial JSON and is whole`, async (t) => {
    const { client } = await bench(t, protocol);
    const input = { description: 'look', prompt: 'say "hi" {to} [me]', n: [1, 2.5, null] };
    const stream = client.messages.stream(
      ask(`[twin: say first] [twin: tool Agent ${JSON.stringify(input)}]`),
    );
    let deltas = 0;
    stream.on('inputJson', () => {
      deltas += 1;
    });
    const message = await stream.finalMessage();
    assert(deltas > 1);
    assert.equal(message.stop_reason, 'tool_use');
    const [, tool] = message.content;
    assert(tool?.type === 'tool_use');
    assert.deepEqual([tool.name, tool.input], ['Agent', input]);
  });

  test(`${protocol}: an aborted stream is recorded as aborted`, async (t) => {
    const { client, twin } = await bench(t, protocol);
    const stream = await client.messages.create({
      ...ask('[twin: events 100] [twin: pause 60000 after=5]'),
      stream: true,
    });
    // The SDK ends an aborted iteration quietly.
    for await (const event of stream) {
      if (event.type === 'content_block_delta') stream.controller.abort();
    }
    const request = await twin.anthropic.waitFor((received) => received.aborted);
    assert.equal(request.answer.ended, false);
    assert.equal(request.answer.status, 200);
    assert(request.answer.bytes > 0);
  });

  test(`${protocol}: many streams at once are each whole`, async (t) => {
    const { client } = await bench(t, protocol);
    const texts = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        client.messages
          .stream(ask(`[twin: say stream ${n}]`))
          .finalMessage()
          .then(textOf),
      ),
    );
    assert.deepEqual(
      texts,
      texts.map((_, n) => `stream ${n}`),
    );
  });
}

test('after a tool result the turn is closed, or goes on as directed', async (t) => {
  const { client } = await bench(t);
  const conversation = (prompt: string): Anthropic.MessageParam[] => [
    { role: 'user', content: prompt },
    { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'A', input: {} }] },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_1', content: '[twin: say not this]' },
        { type: 'text', text: '<system-reminder>[twin: say nor this]</system-reminder>' },
      ],
    },
  ];
  const closed = await client.messages.create(
    ask('', { messages: conversation('[twin: tool A {}]') }),
  );
  assert.equal(textOf(closed), 'done from anthropic');
  const directed = await client.messages.create(
    ask('', { messages: conversation('[twin: tool A {}][twin: then][twin: say and on]') }),
  );
  assert.equal(textOf(directed), 'and on');
});

test('max_tokens and stop sequences end a text, and say so', async (t) => {
  const { client } = await bench(t);
  const cut = await client.messages.create(ask('[twin: text 500 words]', { max_tokens: 10 }));
  assert.equal(cut.stop_reason, 'max_tokens');
  assert.equal(cut.usage.output_tokens, 10);
  const stopped = await client.messages.create(
    ask('[twin: say one two three]', { stop_sequences: ['two'] }),
  );
  assert.deepEqual(
    [stopped.stop_reason, stopped.stop_sequence, textOf(stopped)],
    ['stop_sequence', 'two', 'one '],
  );
});

test('count_tokens agrees with the usage of the message', async (t) => {
  const { client } = await bench(t);
  const { messages, model } = ask('how many tokens are these?');
  const counted = await client.messages.countTokens({ messages, model });
  const { usage } = await client.messages.create(ask('how many tokens are these?'));
  assert.equal(counted.input_tokens, usage.input_tokens);
});

test('models are listed and found', async (t) => {
  const { client } = await bench(t);
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert(ids.includes('claude-sonnet-5-5'));
  assert.equal((await client.models.retrieve('claude-opus-5-5')).display_name, 'Claude Opus 5.5');
  await assert.rejects(client.models.retrieve('claude-none'), Anthropic.NotFoundError);
});

for (const [status, type] of [
  [400, Anthropic.BadRequestError],
  [401, Anthropic.AuthenticationError],
  [403, Anthropic.PermissionDeniedError],
  [404, Anthropic.NotFoundError],
  [409, Anthropic.ConflictError],
  [429, Anthropic.RateLimitError],
  [500, Anthropic.InternalServerError],
  [529, Anthropic.InternalServerError],
] as const) {
  test(`status ${status} is the error that the SDK has for it`, async (t) => {
    const { client } = await bench(t);
    await assert.rejects(client.messages.create(ask(`[twin: status ${status}]`)), (error) => {
      assert(error instanceof type);
      assert.equal(error.status, status);
      assert.match(String(error.requestID), /^req_011C/);
      return true;
    });
  });
}

test('an error may be for the first tries only, with its Retry-After', async (t) => {
  const { twin } = await bench(t);
  const { client, close } = sdkClient({
    route: { mode: 'direct', baseUrl: twin.anthropic.origin, ca: twin.anthropic.ca },
    maxRetries: 2,
  });
  t.after(close);
  const message = await client.messages.create(
    ask('[twin: status 529 retry-after=0 times=1] [twin: say second time lucky]'),
  );
  assert.equal(textOf(message), 'second time lucky');
  assert.deepEqual(
    twin.anthropic.requests().map((request) => request.answer.status),
    [529, 200],
  );
});
