/**
 * A reply as the API sends it: the server-sent events of a stream in their grammar, or one message.
 *
 * `message_start`, then per block `content_block_start`, its deltas, `content_block_stop`, then
 * `message_delta` with cumulative usage, `message_stop`; one `ping` near the start.
 */
import type { Json } from './body.ts';
import type { InputTokens } from './count.ts';
import type { Reply, ReplyBlock } from './replies.ts';

/** What differs between the upstreams in how they tell a message. */
export interface MessageDialect {
  /** The event that the ping follows. */
  readonly pingAfter: 'message_start' | 'content_block_start';
  /** Usage in `message_start`. */
  readonly startUsage: (input: InputTokens) => Json;
  /** Usage in `message_delta`, cumulative, and of a message that is not streamed. */
  readonly endUsage: (input: InputTokens, reply: Reply) => Json;
}

/** A reply and what frames it. */
export interface Message {
  readonly id: string;
  readonly model: string;
  readonly input: InputTokens;
  readonly reply: Reply;
  /** What `message_delta` and the message itself carry besides. */
  readonly extra: Json;
}

/** One event in its wire form. */
export function sse(event: string, data: Json): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** The events of a streamed message, each by itself. */
export function* messageEvents(message: Message, dialect: MessageDialect): Generator<Buffer> {
  const { reply } = message;
  yield sse('message_start', {
    type: 'message_start',
    message: {
      id: message.id,
      type: 'message',
      role: 'assistant',
      model: message.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: dialect.startUsage(message.input),
    },
  });
  if (dialect.pingAfter === 'message_start') yield sse('ping', { type: 'ping' });
  for (const [index, block] of reply.blocks.entries()) {
    yield sse('content_block_start', {
      type: 'content_block_start',
      index,
      content_block: emptyBlock(block),
    });
    if (index === 0 && dialect.pingAfter === 'content_block_start') {
      yield sse('ping', { type: 'ping' });
    }
    for (const delta of deltasOf(block)) {
      yield sse('content_block_delta', { type: 'content_block_delta', index, delta });
    }
    yield sse('content_block_stop', { type: 'content_block_stop', index });
  }
  yield sse('message_delta', {
    type: 'message_delta',
    delta: { stop_reason: reply.stopReason, stop_sequence: reply.stopSequence },
    usage: dialect.endUsage(message.input, reply),
    ...message.extra,
  });
  yield sse('message_stop', { type: 'message_stop' });
}

/** The same message as one JSON object. */
export function messageObject(message: Message, dialect: MessageDialect): Json {
  const { reply } = message;
  return {
    id: message.id,
    type: 'message',
    role: 'assistant',
    model: message.model,
    content: reply.blocks.map(wholeBlock),
    stop_reason: reply.stopReason,
    stop_sequence: reply.stopSequence,
    usage: dialect.endUsage(message.input, reply),
    ...message.extra,
  };
}

function emptyBlock(block: ReplyBlock): Json {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: '' };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'tool_use':
      return { type: 'tool_use', id: block.id, name: block.name, input: {} };
  }
}

function* deltasOf(block: ReplyBlock): Generator<Json> {
  for (const piece of block.pieces) {
    switch (block.type) {
      case 'text':
        yield { type: 'text_delta', text: piece };
        break;
      case 'thinking':
        yield { type: 'thinking_delta', thinking: piece };
        break;
      case 'tool_use':
        yield { type: 'input_json_delta', partial_json: piece };
        break;
    }
  }
  if (block.type === 'thinking') yield { type: 'signature_delta', signature: block.signature };
}

function wholeBlock(block: ReplyBlock): Json {
  const whole = block.pieces.join('');
  switch (block.type) {
    case 'text':
      return { type: 'text', text: whole };
    case 'thinking':
      return { type: 'thinking', thinking: whole, signature: block.signature };
    case 'tool_use':
      return { type: 'tool_use', id: block.id, name: block.name, input: JSON.parse(whole) };
  }
}
