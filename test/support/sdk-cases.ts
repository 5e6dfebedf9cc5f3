/**
 * What the official SDK is asked to do, by the direct way and through the proxy alike: each case gives
 * what its client saw, as one comparable value, and what the ledger must say of each exchange.
 */
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import type { UsageRecord } from '../../src/ledger/record.ts';

/** What a client gets, in one comparable value, and what its records must say of it. */
export interface Outcome {
  readonly seen: unknown;
  readonly records: readonly Partial<UsageRecord>[];
}

export interface SdkCase {
  readonly name: string;
  /** Runs the case with a model id; the same calls for both clients. */
  readonly run: (client: Anthropic, model: string, lane: 'anthropic' | 'zai') => Promise<Outcome>;
}

const TOOLS: Anthropic.Tool[] = [
  {
    name: 'weather',
    description: 'tells the weather',
    input_schema: { type: 'object', properties: { place: { type: 'string' } } },
  },
];

/** A request with that prompt. */
export function ask(
  model: string,
  content: string,
  more: Partial<Anthropic.MessageCreateParams> = {},
) {
  return {
    model,
    max_tokens: 2048,
    messages: [{ role: 'user' as const, content }],
    ...more,
    stream: false as const,
  };
}

function tokensOf(usage: Anthropic.Usage): Partial<UsageRecord> {
  return {
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_tokens: usage.cache_read_input_tokens ?? null,
    cache_write_tokens: usage.cache_creation_input_tokens ?? null,
  };
}

/** Fields of an answer without those that belong to the connection it came by. */
function fieldsOf(response: Response): (readonly [string, string])[] {
  const hop = ['connection', 'keep-alive', 'transfer-encoding', 'content-length'];
  return [...response.headers].filter(([name]) => !hop.includes(name));
}

const CACHED: Anthropic.MessageCreateParams['system'] = [
  { type: 'text', text: 'Be brief. '.repeat(40), cache_control: { type: 'ephemeral' } },
];
const THINKING: Anthropic.ThinkingConfigParam = { type: 'enabled', budget_tokens: 1024 };
const STREAMED = { op: 'stream', sse: 'complete', status: 200 } as const;
const WHOLE = { op: 'nonstream', sse: null, sse_events: 0, status: 200 } as const;

export const SDK_CASES: readonly SdkCase[] = [
  {
    name: 'a message, not streamed, with its fields',
    run: async (client, model) => {
      const { data, response } = await client.messages
        .create(ask(model, '[twin: text 60 words]', { system: CACHED }))
        .withResponse();
      return {
        seen: [data, fieldsOf(response)],
        records: [{ ...WHOLE, ...tokensOf(data.usage), model_served: data.model }],
      };
    },
  },
  {
    name: 'stream(): every event and the final message',
    run: async (client, model) => {
      const stream = client.messages.stream(
        ask(model, '[twin: text 120 words]', { system: CACHED, thinking: THINKING }),
      );
      const events: unknown[] = [];
      for await (const event of stream) events.push(structuredClone(event));
      const message = await stream.finalMessage();
      return { seen: [events, message], records: [{ ...STREAMED, ...tokensOf(message.usage) }] };
    },
  },
  {
    name: 'create({stream: true}): every event, in order',
    run: async (client, model) => {
      const { data, response } = await client.messages
        .create({ ...ask(model, '[twin: events 50]'), stream: true })
        .withResponse();
      const events: unknown[] = [];
      for await (const event of data) events.push(event);
      assert(events.length >= 55);
      const lines = { sse_events: events.length + 1 };
      return { seen: [events, fieldsOf(response)], records: [{ ...STREAMED, ...lines }] };
    },
  },
  ...(['gzip', 'br', 'zstd'] as const).map((coding) => ({
    name: `a stream under ${coding}`,
    run: async (client: Anthropic, model: string) => {
      const message = await client.messages
        .stream(ask(model, `[twin: encoding ${coding}] [twin: text 80 words]`), {
          headers: { 'accept-encoding': coding },
        })
        .finalMessage();
      return { seen: message, records: [{ ...STREAMED, ...tokensOf(message.usage) }] };
    },
  })),
  {
    name: 'thinking, with its signature',
    run: async (client, model) => {
      const message = await client.messages.create(ask(model, 'hello', { thinking: THINKING }));
      assert.equal(message.content[0]?.type, 'thinking');
      return { seen: message, records: [{ ...WHOLE, ...tokensOf(message.usage) }] };
    },
  },
  {
    name: 'two turns of tool use',
    run: async (client, model) => {
      const call = '[twin: tool weather {"place":"Zürich [CH]"}]';
      const question = { role: 'user' as const, content: `${call}[twin: then][twin: say dry]` };
      const first = await client.messages
        .stream(ask(model, '', { messages: [question], tools: TOOLS }))
        .finalMessage();
      const use = first.content.find((block) => block.type === 'tool_use');
      assert(use?.type === 'tool_use' && first.stop_reason === 'tool_use');
      assert.deepEqual(use.input, { place: 'Zürich [CH]' });
      const messages: Anthropic.MessageParam[] = [
        question,
        { role: 'assistant', content: first.content },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: use.id, content: 'no rain' }],
        },
      ];
      const second = await client.messages.create(ask(model, '', { messages, tools: TOOLS }));
      assert.deepEqual(second.content, [{ type: 'text', text: 'dry' }]);
      return {
        seen: [first, second],
        records: [
          { ...STREAMED, ...tokensOf(first.usage) },
          { ...WHOLE, ...tokensOf(second.usage) },
        ],
      };
    },
  },
  {
    name: 'count_tokens',
    run: async (client, model) => {
      const { messages } = ask(model, 'how many tokens are these?');
      const counted = await client.messages.countTokens({ model, messages });
      return { seen: counted, records: [{ ...WHOLE, path: '/v1/messages/count_tokens' }] };
    },
  },
  ...(
    [
      [400, Anthropic.BadRequestError, '4xx'],
      [401, Anthropic.AuthenticationError, '401'],
      [404, Anthropic.NotFoundError, '4xx'],
      [429, Anthropic.RateLimitError, '429'],
      [529, Anthropic.InternalServerError, '5xx'],
    ] as const
  ).flatMap(([status, type, errType]) =>
    [true, false].map((stream) => ({
      name: `status ${status}${stream ? ' to a stream' : ''} is the SDK's own error`,
      run: async (client: Anthropic, model: string, lane: string): Promise<Outcome> => {
        const request = { ...ask(model, `[twin: status ${status} retry-after=7]`), stream };
        const error: unknown = await client.messages.create(request).then(
          () => assert.fail('an error was asked for'),
          (cause: unknown) => cause,
        );
        assert(error instanceof type);
        const { headers } = error;
        assert.equal(headers?.get('retry-after'), '7');
        const op = stream ? 'stream' : 'nonstream';
        // A keyed lane tries the other header mode once.
        const tried = status === 401 && lane === 'zai';
        const more = tried
          ? ({ attempts: 2, retry: true, header_mode: 'authorization' } as const)
          : {};
        return {
          seen: [error.status, error.error, error.requestID, error.message],
          records: [{ status, err_type: errType, op, sse: null, ...more }],
        };
      },
    })),
  ),
];
