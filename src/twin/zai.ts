/**
 * The Z.AI persona: the Anthropic-compatible API below `/api/anthropic`, with what sets it apart:
 * one key, business codes in errors, usage that is 0 in `message_start` and real only at the end.
 */

import { type Dialect, errorAnswer, type Occasion } from './answers.ts';
import type { PersonaParts } from './anthropic.ts';
import { zaiError } from './errors.ts';
import { answerCountTokens, answerMessages, tryCounter } from './messages.ts';
import { toolUseId } from './replies.ts';
import { DIGITS, digest, HEX, randomOf } from './seed.ts';
import { headerOf, type TwinRequest } from './types.ts';

/** In which fields the key is accepted. */
export type ZaiAccepts = 'both' | 'x-api-key' | 'authorization';

/** What a Z.AI persona is told. */
export interface ZaiOptions {
  readonly seed: number;
  readonly key: string;
  readonly accepts: ZaiAccepts;
  /** Whether count_tokens exists. */
  readonly countTokens: boolean;
}

/** Dates are fixed: an answer must not depend on the clock. */
const DATE = 'Sun, 22 Nov 2026 00:00:00 GMT';
const DAY = '20261122';

const DIALECT: Dialect = {
  name: 'zai',
  pingAfter: 'message_start',
  messageId: (random) => `msg_${DAY}${random.text(DIGITS, 6)}${random.text(HEX, 16)}`,
  toolId: toolUseId,
  contentType: {
    json: 'application/json; charset=UTF-8',
    stream: 'text/event-stream;charset=UTF-8',
  },
  fields: (_request, id) => [
    ['Date', DATE],
    ['x-log-id', id],
    ['Server', 'nginx'],
    ['Vary', 'Origin'],
    ['Vary', 'Access-Control-Request-Method'],
    ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
    ['Set-Cookie', `acw_tc=${id};path=/;HttpOnly;Max-Age=1800`],
  ],
  error: (spec, id) => {
    const row = zaiError(spec.status, spec.code ?? null);
    return {
      status: spec.status,
      body: {
        error: { code: row.code, message: spec.message ?? row.message },
        request_id: id,
      },
      fields: [],
    };
  },
  refuseModel: () => null,
  startUsage: () => ({ input_tokens: 0, output_tokens: 0 }),
  endUsage: (input, reply) => ({
    input_tokens: input.fresh + input.cacheWrite,
    output_tokens: reply.outputTokens,
    cache_read_input_tokens: input.cacheRead,
    server_tool_use: { web_search_requests: 0 },
    service_tier: 'standard',
  }),
};

/** Makes the persona. */
export function zaiPersona(options: ZaiOptions): PersonaParts {
  const tries = tryCounter();
  const occasionOf = (request: TwinRequest): Occasion => {
    const random = randomOf(
      digest('zai', options.seed, request.method, request.path ?? '', request.body),
    );
    return {
      request,
      dialect: DIALECT,
      random,
      id: DAY + random.text(DIGITS, 6) + random.text(HEX, 18),
    };
  };
  return {
    persona: (request) => {
      const occasion = occasionOf(request);
      const { path, method } = request;
      const counts = path === '/v1/messages/count_tokens' && options.countTokens;
      if (path !== '/v1/messages' && !counts) return errorAnswer(occasion, { status: 404 });
      if (method !== 'POST') {
        return errorAnswer(occasion, { status: 405, fields: [['Allow', 'POST']] });
      }
      const refused = refuseCredential(request, options);
      if (refused !== null) return errorAnswer(occasion, { status: 401, code: refused });
      return counts ? answerCountTokens(occasion) : answerMessages(occasion, tries);
    },
    fail: (request, spec) => errorAnswer(occasionOf(request), spec),
  };
}

/** The business code of a missing or wrong key, or null. */
function refuseCredential({ fields }: TwinRequest, options: ZaiOptions): string | null {
  const presented: string[] = [];
  const apiKey = headerOf(fields, 'x-api-key');
  if (apiKey !== undefined && options.accepts !== 'authorization') presented.push(apiKey);
  const authorization = headerOf(fields, 'authorization');
  if (authorization !== undefined && options.accepts !== 'x-api-key') {
    presented.push(authorization.replace(/^Bearer /i, ''));
  }
  if (presented.length === 0) return '1001';
  return presented.includes(options.key) ? null : '1000';
}
