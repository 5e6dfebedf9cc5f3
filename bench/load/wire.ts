/** What both ends of a measurement agree on: hosts, keys, paths, the answers and their size. */

/** The host that the client asks for, and the name in the upstream's certificate. */
export const API_HOST = 'api.anthropic.com';
/** The second upstream: requests for Haiku belong there. */
export const SECOND_HOST = 'api.z.ai';
export const PATH = '/v1/messages';
/** The second upstream lies below this prefix of the same port. */
export const SECOND_PREFIX = '/api/anthropic';

/** Made up for the measurement; worth nothing anywhere. */
export const CLIENT_KEY = 'Bearer bench-client-key';
export const SECOND_KEY = 'bench-second-key';

export const MODELS = {
  main: 'claude-opus-4-1-20250805',
  small: 'claude-haiku-4-5-20251001',
} as const;
export type Model = keyof typeof MODELS;

/** What the upstream answers: a JSON message, or a stream with so many ms between two events (0: at once). */
export type Answer =
  | { readonly kind: 'json' }
  | { readonly kind: 'stream'; readonly everyMs: number };

/** Events of a streamed answer, from message_start to message_stop. */
export const EVENTS = 107;
const FRAME_EVENTS = 6;
const OUTPUT_TOKENS = EVENTS - FRAME_EVENTS;

/** Where a delta of a paced stream carries the time at which it was sent. */
export const MARK = '@T';
/** Digits of the time, in µs of the monotonic clock. */
export const MARK_DIGITS = 16;

/** The monotonic clock, µs: the same for all processes of the machine. */
export function clockUs(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1000);
}

/** The answer that is no stream: about 1 KB. */
export const JSON_ANSWER: string = JSON.stringify({
  id: 'msg_bench',
  type: 'message',
  role: 'assistant',
  model: 'bench',
  content: [{ type: 'text', text: 'word '.repeat(140) }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { ...inputUsage(), output_tokens: 140 },
});

function inputUsage(): Record<string, number> {
  return { input_tokens: 2095, cache_creation_input_tokens: 0, cache_read_input_tokens: 120 };
}

function event(type: string, data: Record<string, unknown>): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
}

/** The events before the deltas. */
export const FIRST_EVENTS: readonly string[] = [
  event('message_start', {
    message: {
      id: 'msg_bench',
      type: 'message',
      role: 'assistant',
      model: 'bench',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...inputUsage(), output_tokens: 1 },
    },
  }),
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
  event('ping', {}),
];

/** The events after the deltas. */
export const LAST_EVENTS: readonly string[] = [
  event('content_block_stop', { index: 0 }),
  event('message_delta', {
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: OUTPUT_TOKENS },
  }),
  event('message_stop', {}),
];

export const DELTAS: number = EVENTS - FIRST_EVENTS.length - LAST_EVENTS.length;

/** One delta. Its size is the same whatever its time. */
export function deltaEvent(index: number, sentUs: number): string {
  const mark = `${MARK}${String(sentUs).padStart(MARK_DIGITS, '0')}`;
  const text = `${mark} token ${String(index).padStart(3, '0')} of an answer`;
  return event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
}

/** Bytes of the body of an answer, without its chunk framing: what must arrive. */
export function bodyBytesOf(answer: Answer): number {
  if (answer.kind === 'json') return Buffer.byteLength(JSON_ANSWER);
  const texts = [...FIRST_EVENTS, ...LAST_EVENTS];
  const frame = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return frame + DELTAS * Buffer.byteLength(deltaEvent(0, 0));
}
