/**
 * `POST /v1/messages` and `/v1/messages/count_tokens`, for both personas: validate, compose, stream.
 */
import { TWIN_COUNTED_PROMPTS_MAX } from '../core/limits.ts';
import { type ErrorSpec, errorAnswer, jsonAnswer, type Occasion, wholeAnswer } from './answers.ts';
import { isObject, type Json, parseBody, readTurn, type Turn } from './body.ts';
import { type Coding, DirectiveError, type Directives, readDirectives } from './control.ts';
import { inputTokensOf, splitInput } from './count.ts';
import { bestCoding, cutSteps, encodeSteps, encodeWhole } from './encoding.ts';
import { type Message, messageEvents, messageObject } from './events.ts';
import { composeReply } from './replies.ts';
import { digest } from './seed.ts';
import { type Field, headerOf, type Script, type Step, type TwinRequest } from './types.ts';

/** Counts how often the same bytes came, for directives with `times=`. */
export interface TryCounter {
  /** Counts one try and returns how many came before it. */
  count(body: Buffer): number;
}

/** Makes a counter that forgets the oldest bodies past its bound. */
export function tryCounter(): TryCounter {
  const tries = new Map<string, number>();
  return {
    count: (body) => {
      const key = digest(body).toString('base64');
      const before = tries.get(key) ?? 0;
      tries.set(key, before + 1);
      const oldest = tries.keys().next();
      if (tries.size > TWIN_COUNTED_PROMPTS_MAX && !oldest.done) tries.delete(oldest.value);
      return before;
    },
  };
}

/** Answers `POST /v1/messages`. */
export function answerMessages(occasion: Occasion, tries: TryCounter): Script {
  const checked = checkRequest(occasion, true);
  if ('refusal' in checked) return errorAnswer(occasion, checked.refusal);
  const { json, model } = checked;
  const turn = readTurn(json['messages'] as readonly unknown[]);
  const read = directivesOf(turn);
  if ('refusal' in read) return errorAnswer(occasion, read.refusal);
  const { directives } = read;
  const { request } = occasion;

  const asked = directives?.status ?? null;
  if (asked !== null && (asked.times === null || tries.count(request.body) < asked.times)) {
    const { status, code } = asked;
    return errorAnswer(occasion, { status, code, fields: retryFields(asked) });
  }
  const message = composeMessage(occasion, json, model, turn, directives);
  const coding = codingOf(request, directives);
  const script =
    json['stream'] === true
      ? streamed(occasion, message, directives, coding)
      : unstreamed(occasion, message, directives, coding);
  const chunk = directives?.chunkBytes ?? null;
  return chunk === null || request.travel !== undefined ? script : cutSteps(script, [chunk]);
}

/** Answers `POST /v1/messages/count_tokens`. */
export function answerCountTokens(occasion: Occasion): Script {
  const checked = checkRequest(occasion, false);
  if ('refusal' in checked) return errorAnswer(occasion, checked.refusal);
  return jsonAnswer(occasion, 200, { input_tokens: inputTokensOf(checked.json) });
}

type Checked = { readonly json: Json; readonly model: string } | { readonly refusal: ErrorSpec };

function checkRequest({ request, dialect }: Occasion, forInference: boolean): Checked {
  const parsed = parseBody(request.body);
  if ('problem' in parsed) return refuse(parsed.problem);
  const { json } = parsed;
  const { model, messages } = json;
  if (model === undefined) return refuse('model: Field required');
  if (typeof model !== 'string') return refuse('model: Input should be a valid string');
  if (model === '') return refuse('model: String should have at least 1 character');
  if (messages === undefined) return refuse('messages: Field required');
  if (!Array.isArray(messages)) return refuse('messages: Input should be a valid list');
  if (messages.length === 0) return refuse('messages: at least one message is required');
  const badMessage = messages.findIndex((message) => !isMessage(message));
  if (badMessage >= 0) return refuse(`messages.${badMessage}: role and content are required`);
  const maxTokens = json['max_tokens'];
  if (forInference && maxTokens === undefined) return refuse('max_tokens: Field required');
  if (forInference && !(Number.isInteger(maxTokens) && Number(maxTokens) >= 1)) {
    return refuse('max_tokens: Input should be greater than or equal to 1');
  }
  const refusal = dialect.refuseModel(model);
  return refusal === null ? { json, model } : { refusal };
}

function refuse(message: string): { readonly refusal: ErrorSpec } {
  return { refusal: { status: 400, message } };
}

function isMessage(message: unknown): boolean {
  return isObject(message) && typeof message['role'] === 'string' && 'content' in message;
}

function directivesOf(
  turn: Turn,
): { readonly directives: Directives | null } | { readonly refusal: ErrorSpec } {
  try {
    return { directives: readDirectives(turn.prompt, turn.round) };
  } catch (cause) {
    if (!(cause instanceof DirectiveError)) throw cause;
    return refuse(`twin: ${cause.message}`);
  }
}

function retryFields(asked: NonNullable<Directives['status']>): Field[] {
  const fields: Field[] = [];
  if (asked.retryAfter !== null) fields.push(['retry-after', asked.retryAfter]);
  if (asked.shouldRetry !== null) fields.push(['x-should-retry', asked.shouldRetry]);
  return fields;
}

function composeMessage(
  { dialect, random }: Occasion,
  json: Json,
  model: string,
  turn: Turn,
  directives: Directives | null,
): Message {
  const id = dialect.messageId(random);
  return {
    id,
    model,
    input: splitInput(json, inputTokensOf(json)),
    reply: composeReply({
      persona: dialect.name,
      request: json,
      turn,
      directives,
      random,
      toolId: dialect.toolId,
    }),
    extra: isObject(json['context_management'])
      ? { context_management: { applied_edits: [] } }
      : {},
  };
}

function codingOf(request: TwinRequest, directives: Directives | null): Coding | null {
  if (request.travel !== undefined) return request.travel === 'gzip' ? 'gzip' : null;
  const asked = directives?.encoding ?? null;
  return asked === 'auto' ? bestCoding(headerOf(request.fields, 'accept-encoding')) : asked;
}

function codingFields(coding: Coding | null): Field[] {
  return coding === null ? [] : [['Content-Encoding', coding]];
}

function streamed(
  occasion: Occasion,
  message: Message,
  directives: Directives | null,
  coding: Coding | null,
): Script {
  const steps = eventSteps(occasion, message, directives, coding);
  return coding === null ? steps : encodeSteps(steps, coding);
}

function* eventSteps(
  { request, dialect, id }: Occasion,
  message: Message,
  directives: Directives | null,
  coding: Coding | null,
): Generator<Step> {
  yield* pauseOf(directives?.pauseMs ?? 0);
  yield {
    kind: 'head',
    status: 200,
    fields: [
      ['Content-Type', dialect.contentType.stream],
      ['Transfer-Encoding', 'chunked'],
      ['Cache-Control', 'no-cache'],
      ...codingFields(coding),
      ...dialect.fields(request, id),
    ],
  };
  let sent = 0;
  for (const event of messageEvents(message, dialect)) {
    if (sent > 0) yield* pauseOf(directives?.gapMs ?? 0);
    yield { kind: 'bytes', bytes: event };
    sent += 1;
    yield* pauseOf(directives?.pausesAfter.get(sent) ?? 0);
  }
}

function* unstreamed(
  occasion: Occasion,
  message: Message,
  directives: Directives | null,
  coding: Coding | null,
): Generator<Step> {
  const plain = Buffer.from(JSON.stringify(messageObject(message, occasion.dialect)));
  const payload = coding === null ? plain : encodeWhole(plain, coding);
  yield* pauseOf(directives?.pauseMs ?? 0);
  yield* wholeAnswer(occasion, 200, payload, codingFields(coding));
}

function* pauseOf(ms: number): Generator<Step> {
  if (ms > 0) yield { kind: 'pause', ms };
}
