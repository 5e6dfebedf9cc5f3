/**
 * Token counts of the twin: four characters a token, so that a test can predict them. Not how any
 * real tokenizer counts.
 */
import { isObject, type Json } from './body.ts';

const CHARACTERS_PER_TOKEN = 4;
/** What the structure of a message costs, whatever it says. */
const TOKENS_PER_MESSAGE = 3;

/** Input tokens by what they cost. Their sum is the size of the input. */
export interface InputTokens {
  readonly fresh: number;
  readonly cacheWrite: number;
  readonly cacheRead: number;
}

/** Tokens of a text; an empty one has none. */
export function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** The longest beginning of a text that is worth at most this many tokens. */
export function withinTokens(text: string, tokens: number): string {
  return text.slice(0, tokens * CHARACTERS_PER_TOKEN);
}

/** All input tokens of a request. */
export function inputTokensOf(request: Json): number {
  const messages = Array.isArray(request['messages']) ? request['messages'].length : 0;
  const characters =
    charactersIn(request['system']) +
    charactersIn(request['messages']) +
    charactersIn(request['tools']);
  return Math.ceil(characters / CHARACTERS_PER_TOKEN) + messages * TOKENS_PER_MESSAGE;
}

/**
 * Input tokens as they would be billed. The twin keeps no cache: a request that asks for caching
 * writes three quarters on its first turn and reads them on each later one.
 */
export function splitInput(request: Json, total: number): InputTokens {
  if (!asksForCache(request)) return { fresh: total, cacheWrite: 0, cacheRead: 0 };
  const cached = Math.floor((total * 3) / 4);
  const { messages } = request;
  const later =
    Array.isArray(messages) &&
    messages.some((message) => isObject(message) && message['role'] === 'assistant');
  return {
    fresh: total - cached,
    cacheWrite: later ? 0 : cached,
    cacheRead: later ? cached : 0,
  };
}

function charactersIn(value: unknown): number {
  if (value === undefined) return 0;
  return typeof value === 'string' ? value.length : JSON.stringify(value).length;
}

function asksForCache(request: Json): boolean {
  return [request['system'], request['messages'], request['tools']].some(
    (part) => part !== undefined && JSON.stringify(part).includes('"cache_control"'),
  );
}
