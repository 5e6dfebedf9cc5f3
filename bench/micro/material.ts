/** Bytes that the cells work on: shaped like what Claude Code and the Messages API send. */

/** The head of a streaming request as Claude Code sends it, without its last empty line. */
export const REQUEST_FIELDS = [
  ['Host', 'api.anthropic.com'],
  ['Accept', 'application/json'],
  ['User-Agent', 'claude-cli/2.1.330 (external, cli)'],
  ['X-Claude-Code-Session-Id', '00000000-0000-4000-8000-000000000000'],
  ['X-Stainless-Arch', 'x64'],
  ['X-Stainless-Lang', 'js'],
  ['X-Stainless-OS', 'Linux'],
  ['X-Stainless-Package-Version', '0.80.0'],
  ['X-Stainless-Retry-Count', '0'],
  ['X-Stainless-Runtime', 'node'],
  ['X-Stainless-Runtime-Version', 'v26.10.0'],
  ['X-Stainless-Timeout', '600'],
  ['anthropic-beta', 'claude-code-20250219,interleaved-thinking-2025-05-14'],
  ['anthropic-dangerous-direct-browser-access', 'true'],
  ['anthropic-version', '2023-06-01'],
  ['authorization', `Bearer ${'canary-token-of-nobody-'.repeat(4)}`],
  ['x-app', 'cli'],
  ['Connection', 'keep-alive'],
  ['Content-Type', 'application/json'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
] as const;

/** Fields of an answer as the API's edge sends them. */
export const RESPONSE_FIELDS = [
  ['Date', 'Thu, 01 Jan 2026 00:00:00 GMT'],
  ['Content-Type', 'text/event-stream; charset=utf-8'],
  ['Connection', 'keep-alive'],
  ['Cache-Control', 'no-cache'],
  ['anthropic-ratelimit-unified-status', 'allowed'],
  ['anthropic-ratelimit-unified-reset', '1767225600'],
  ['request-id', 'req_000000000000000000000000'],
  ['strict-transport-security', 'max-age=31536000; includeSubDomains; preload'],
  ['anthropic-organization-id', '00000000-0000-4000-8000-000000000000'],
  ['Server', 'cloudflare'],
  ['x-envoy-upstream-service-time', '812'],
  ['cf-cache-status', 'DYNAMIC'],
  ['CF-RAY', '000000000000000-FRA'],
] as const;

const TEXT =
  'The function \\"read\\" takes a path such as C:\\\\src\\\\a.ts\\nand gives back its text, ' +
  'or throws. Each line is kept as it is; 3 lines were changed. ';

/** A request body of about so many bytes, the model in front or at the end. */
export function bodyOf(bytes: number, model: 'first' | 'last'): Buffer {
  const attribution = '{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.330"}';
  const system = `"system":[${attribution},{"type":"text","text":"You are an agent."}]`;
  const metadata = '"metadata":{"user_id":"user_0000000000000000_account__session_0000"}';
  const named = '"model":"claude-haiku-5-5"';
  const head = model === 'first' ? `${named},` : '';
  const tail = model === 'first' ? '' : `,${named}`;
  const frame = head.length + tail.length + system.length + metadata.length + 100;
  const turns: string[] = [];
  let length = frame;
  for (let turn = 0; length < bytes || turn === 0; turn += 1) {
    const role = turn % 2 === 0 ? 'user' : 'assistant';
    const repeats = Math.max(1, Math.min(20, Math.floor((bytes - length) / TEXT.length)));
    const message = `{"role":"${role}","content":[{"type":"text","text":"${TEXT.repeat(repeats)}"}]}`;
    turns.push(message);
    length += message.length + 1;
  }
  const rest = `"max_tokens":32000,"stream":true,${system},"messages":[${turns.join(',')}],${metadata}`;
  return Buffer.from(`{${head}${rest}${tail}}`);
}

function event(name: string, data: string): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${data}\n\n`);
}

const DELTAS = 101;

/** The 107 events of a usual stream: one block of 101 deltas. */
export function streamEvents(): Buffer[] {
  const usage =
    '{"input_tokens":2095,"cache_creation_input_tokens":128,"cache_read_input_tokens":18432,"output_tokens":1}';
  const events = [
    event(
      'message_start',
      `{"type":"message_start","message":{"id":"msg_0","type":"message","role":"assistant","model":"claude-haiku-5-5","content":[],"stop_reason":null,"usage":${usage}}}`,
    ),
    event(
      'content_block_start',
      '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    ),
    event('ping', '{"type":"ping"}'),
  ];
  for (let i = 0; i < DELTAS; i += 1) {
    const text = `word ${i} of the answer`;
    const delta = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"${text}"}}`;
    events.push(event('content_block_delta', delta));
  }
  events.push(
    event('content_block_stop', '{"type":"content_block_stop","index":0}'),
    event(
      'message_delta',
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":412}}',
    ),
    event('message_stop', '{"type":"message_stop"}'),
  );
  return events;
}

/** The bytes in pieces of a size; each a copy, as a socket gives them. */
export function inPieces(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push(Buffer.from(bytes.subarray(at, at + size)));
  }
  return pieces;
}

/** A head: its first line, then fields, then the empty line. */
export function headOf(
  first: string,
  fields: readonly (readonly [name: string, value: string])[],
): Buffer {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${first}\r\n${lines.join('')}\r\n`);
}
