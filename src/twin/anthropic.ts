/**
 * The Anthropic persona: `api.anthropic.com` as Claude Code and the official SDK meet it.
 *
 * Accepts any non-empty credential in `x-api-key` or `Authorization: Bearer`; an OAuth token needs
 * its beta, as with the real one. Model ids must begin with `claude-`. Not simulated: batches,
 * files, caches, quotas.
 */
import { type Dialect, type ErrorSpec, errorAnswer, jsonAnswer, type Occasion } from './answers.ts';
import { anthropicError } from './errors.ts';
import { answerCountTokens, answerMessages, tryCounter } from './messages.ts';
import { toolUseId } from './replies.ts';
import { BASE58, digest, HEX, randomOf } from './seed.ts';
import { type Field, headerOf, type Persona, type Script, type TwinRequest } from './types.ts';

/** Dates are fixed: an answer must not depend on the clock. */
const DATE = 'Sun, 22 Nov 2026 00:00:00 GMT';
const RESET_RFC3339 = '2026-11-22T00:01:00Z';
/** Far ahead, so that no client ever believes a limit to have been reset just now. */
const RESET_UNIX = '1924992000';
const ORGANIZATION = '00000000-0000-4000-8000-00000000beef';
const OAUTH_TOKEN = /^Bearer sk-ant-oat/i;
const OAUTH_BETA = 'oauth-2025-04-20';

const MODELS: readonly (readonly [id: string, name: string, createdAt: string])[] = [
  ['claude-haiku-5-5', 'Claude Haiku 5.5', '2026-10-07T00:00:00Z'],
  ['claude-sonnet-5-5', 'Claude Sonnet 5.5', '2026-09-28T00:00:00Z'],
  ['claude-opus-5-5', 'Claude Opus 5.5', '2026-09-22T00:00:00Z'],
  ['claude-fable-5-2', 'Claude Fable 5.2', '2026-09-01T00:00:00Z'],
  ['claude-haiku-4-5-20251001', 'Claude Haiku 4.5', '2025-10-15T00:00:00Z'],
];

const DIALECT: Dialect = {
  name: 'anthropic',
  pingAfter: 'content_block_start',
  messageId: (random) => `msg_01${random.text(BASE58, 22)}`,
  toolId: toolUseId,
  contentType: { json: 'application/json', stream: 'text/event-stream; charset=utf-8' },
  fields: answerFields,
  error: (spec, id) => {
    const row = anthropicError(spec.status);
    return {
      status: spec.status,
      body: {
        type: 'error',
        error: { type: row.type, message: spec.message ?? row.message },
        request_id: id,
      },
      // The API's own word that another try makes sense; a 429 is left to its Retry-After.
      fields: spec.status >= 500 ? [['x-should-retry', 'true']] : [],
    };
  },
  refuseModel: (model) =>
    model.startsWith('claude-') ? null : { status: 404, message: `model: ${model}` },
  startUsage: (input) => ({
    input_tokens: input.fresh,
    cache_creation_input_tokens: input.cacheWrite,
    cache_read_input_tokens: input.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: input.cacheWrite,
      ephemeral_1h_input_tokens: 0,
    },
    output_tokens: 1,
    service_tier: 'standard',
    inference_geo: 'global',
  }),
  endUsage: (input, reply) => ({
    input_tokens: input.fresh,
    cache_creation_input_tokens: input.cacheWrite,
    cache_read_input_tokens: input.cacheRead,
    output_tokens: reply.outputTokens,
    ...(reply.thinkingTokens > 0
      ? { output_tokens_details: { thinking_tokens: reply.thinkingTokens } }
      : {}),
  }),
};

/** A persona, and the errors it gives where something else than the request decides. */
export interface PersonaParts {
  readonly persona: Persona;
  readonly fail: (request: TwinRequest, spec: ErrorSpec) => Script;
}

/** Makes the persona for a seed. */
export function anthropicPersona(seed: number): PersonaParts {
  const tries = tryCounter();
  const occasionOf = (request: TwinRequest): Occasion => {
    const random = randomOf(
      digest('anthropic', seed, request.method, request.path ?? '', request.body),
    );
    return { request, dialect: DIALECT, random, id: `req_011C${random.text(BASE58, 20)}` };
  };
  return {
    persona: (request) => {
      const occasion = occasionOf(request);
      const { path } = request;
      const open = openAnswer(occasion, path ?? '');
      if (open !== null) return open;
      const refusal = refuseCredential(request);
      if (refusal !== null) return fail(occasion, refusal);
      if (path === '/v1/messages' || path === '/v1/messages/count_tokens') {
        if (request.method !== 'POST') return methodNotAllowed(occasion, 'POST');
        return path === '/v1/messages'
          ? answerMessages(occasion, tries)
          : answerCountTokens(occasion);
      }
      return modelsAnswer(occasion, path ?? '') ?? fail(occasion, { status: 404 });
    },
    fail: (request, spec) => fail(occasionOf(request), spec),
  };
}

/** Answers that need no credential; null for every other path. */
function openAnswer(occasion: Occasion, path: string): Script | null {
  const { method } = occasion.request;
  if (path === '/v1/oauth/token') {
    if (method !== 'POST') return methodNotAllowed(occasion, 'POST');
    return jsonAnswer(occasion, 400, {
      error: 'invalid_grant',
      error_description: 'Refresh token not found or invalid',
    });
  }
  const reads = method === 'GET' || method === 'HEAD';
  if (path === '/api/hello') {
    return reads
      ? jsonAnswer(occasion, 200, { message: 'hello' })
      : methodNotAllowed(occasion, 'GET, HEAD');
  }
  if (path === '/' && reads) return jsonAnswer(occasion, 200, {});
  return path.startsWith('/v1/') ? null : fail(occasion, { status: 404 });
}

function refuseCredential({ fields }: TwinRequest): ErrorSpec | null {
  const authorization = headerOf(fields, 'authorization') ?? '';
  if (OAUTH_TOKEN.test(authorization)) {
    const betas = (headerOf(fields, 'anthropic-beta') ?? '').split(',').map((beta) => beta.trim());
    return betas.includes(OAUTH_BETA)
      ? null
      : { status: 401, message: 'OAuth authentication is currently not supported.' };
  }
  if (/^Bearer \S/i.test(authorization)) return null;
  if ((headerOf(fields, 'x-api-key') ?? '') !== '') return null;
  return { status: 401, message: 'x-api-key header is required' };
}

function modelsAnswer(occasion: Occasion, path: string): Script | null {
  if (path !== '/v1/models' && !path.startsWith('/v1/models/')) return null;
  if (occasion.request.method !== 'GET') return methodNotAllowed(occasion, 'GET');
  const data = MODELS.map(([id, name, createdAt]) => ({
    type: 'model',
    id,
    display_name: name,
    created_at: createdAt,
  }));
  if (path === '/v1/models') {
    const ids = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    return jsonAnswer(occasion, 200, { data, has_more: false, ...ids });
  }
  const id = decodeURIComponent(path.slice('/v1/models/'.length));
  const model = data.find((entry) => entry.id === id);
  return model === undefined
    ? fail(occasion, { status: 404, message: `model: ${id}` })
    : jsonAnswer(occasion, 200, model);
}

function methodNotAllowed(occasion: Occasion, allow: string): Script {
  return fail(occasion, { status: 405, fields: [['Allow', allow]] });
}

function fail(occasion: Occasion, spec: ErrorSpec): Script {
  return errorAnswer(occasion, spec);
}

function answerFields(request: TwinRequest, id: string): readonly Field[] {
  const random = randomOf(digest('fields', id));
  return [
    ['Date', DATE],
    ...limitFields(request),
    ['anthropic-organization-id', ORGANIZATION],
    ['request-id', id],
    ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains; preload'],
    ['via', '1.1 google'],
    ['Server', 'cloudflare'],
    ['cf-cache-status', 'DYNAMIC'],
    ['CF-RAY', `${random.text(HEX, 16)}-FRA`],
    ['Set-Cookie', `_cfuvid=${random.text(BASE58, 24)}; path=/; HttpOnly; Secure; SameSite=None`],
    ['Set-Cookie', `__cf_bm=${random.text(BASE58, 24)}; path=/; HttpOnly; Secure; SameSite=None`],
    ['X-Robots-Tag', 'none'],
  ];
}

/** Subscriptions and keys are told of their limits in different words. */
function limitFields({ fields }: TwinRequest): readonly Field[] {
  if (OAUTH_TOKEN.test(headerOf(fields, 'authorization') ?? '')) {
    return [
      ['anthropic-ratelimit-unified-status', 'allowed'],
      ['anthropic-ratelimit-unified-representative-claim', 'five_hour'],
      ['anthropic-ratelimit-unified-reset', RESET_UNIX],
      ['anthropic-ratelimit-unified-5h-utilization', '0.04'],
      ['anthropic-ratelimit-unified-5h-reset', RESET_UNIX],
      ['anthropic-ratelimit-unified-7d-utilization', '0.02'],
      ['anthropic-ratelimit-unified-7d-reset', RESET_UNIX],
    ];
  }
  return [
    ['requests', '4000', '3999'],
    ['tokens', '2400000', '2399000'],
    ['input-tokens', '2000000', '1999000'],
    ['output-tokens', '400000', '399000'],
  ].flatMap(([what, limit = '', remaining = '']): Field[] => [
    [`anthropic-ratelimit-${what}-limit`, limit],
    [`anthropic-ratelimit-${what}-remaining`, remaining],
    [`anthropic-ratelimit-${what}-reset`, RESET_RFC3339],
  ]);
}
