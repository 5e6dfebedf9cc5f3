/**
 * What the ledger wants to know of an answer, and how it is picked from the Messages API's values.
 *
 * Counts are cumulative in this API: the last value of each field wins, and nothing is ever added. A
 * field that is absent, null or no count keeps what was known before; a restated 0 wins like any
 * other value, since some upstreams begin with an estimate and correct it, and others begin with 0:
 * the last word is the only rule that is right for both.
 *
 * Texts of an upstream are not trusted: what may reach the ledger is a short token, or it is dropped.
 */
import { KEY_VALUE_BYTES_MAX } from '../limits.ts';

/** Tokens as the upstream counts them; null where it did not say. */
export interface TokenUsage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly cacheReadTokens: number | null;
  readonly cacheWriteTokens: number | null;
}

/** What an answer said of itself. */
export interface AnswerFacts {
  /** Events dispatched by a blank line; 0 where the answer is no event stream. */
  readonly events: number;
  /** The answer is whole by its own word: `message_stop`, or one complete JSON object. */
  readonly sawStop: boolean;
  /** The answer reports an error, also in the middle of a stream that began with 200. */
  readonly sawError: boolean;
  /** `error.type`, such as `overloaded_error`. */
  readonly errorType: string | null;
  /** A business code beside it, as Z.AI sends them: `1302`. */
  readonly errorCode: string | null;
  readonly modelServed: string | null;
  readonly usage: TokenUsage;
  /** Events that the order of a message stream does not allow, or that can not be read. */
  readonly violations: number;
  /** The tap let go of something over a bound: what is null here may have been said. */
  readonly lost: boolean;
}

/** Reads an answer beside its way to the client. Never throws, whatever the bytes are. */
export interface AnswerTap {
  /** Takes the next payload bytes, decoded; they are not kept. */
  push(data: Buffer): void;
  /** What was learnt, the answer being at its end. */
  finish(): AnswerFacts;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Facts while they are collected. */
export interface FactsDraft extends Mutable<Omit<AnswerFacts, 'usage'>> {
  readonly usage: Mutable<TokenUsage>;
}

/** Facts of which nothing is known yet. */
export function emptyFacts(): FactsDraft {
  return {
    events: 0,
    sawStop: false,
    sawError: false,
    errorType: null,
    errorCode: null,
    modelServed: null,
    usage: {
      inputTokens: null,
      outputTokens: null,
      cacheReadTokens: null,
      cacheWriteTokens: null,
    },
    violations: 0,
    lost: false,
  };
}

/** Takes over the counts of a `usage` object. */
export function readUsage(facts: FactsDraft, usage: unknown): void {
  const { usage: known } = facts;
  known.inputTokens = count(member(usage, 'input_tokens')) ?? known.inputTokens;
  known.outputTokens = count(member(usage, 'output_tokens')) ?? known.outputTokens;
  known.cacheReadTokens = count(member(usage, 'cache_read_input_tokens')) ?? known.cacheReadTokens;
  known.cacheWriteTokens =
    count(member(usage, 'cache_creation_input_tokens')) ?? known.cacheWriteTokens;
}

/** Takes over the id of the model that served; an absurdly long one is let go. */
export function readModel(facts: FactsDraft, model: unknown): void {
  if (typeof model !== 'string' || model === '') return;
  if (model.length > KEY_VALUE_BYTES_MAX) facts.lost = true;
  else facts.modelServed = model;
}

/**
 * Takes over an error, given the value that holds `error`. Its text is never kept.
 *
 * Z.AI puts its code in `error.code`, in `error.type`, in a `code` beside `error`, or in front of the
 * message in brackets, depending on which of its layers speaks.
 */
export function readError(facts: FactsDraft, holder: unknown): void {
  facts.sawError = true;
  const error = member(holder, 'error');
  const type = token(member(error, 'type'));
  const numeric = type !== null && /^\d+$/.test(type) ? type : null;
  const code = token(member(error, 'code')) ?? token(member(holder, 'code')) ?? numeric;
  facts.errorType = type ?? facts.errorType;
  facts.errorCode = code ?? codeInText(member(error, 'message')) ?? facts.errorCode;
}

/** A member of a value that may be anything; undefined where there is none. */
export function member(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key];
}

/** A JSON text's value, or undefined where it is not valid. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function count(value: unknown): number | null {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) return null;
  return Math.abs(value); // -0 is a valid spelling of 0.
}

function token(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value) ? value : null;
}

function codeInText(text: unknown): string | null {
  return typeof text === 'string' ? (/^\[(\d{3,6})\]/.exec(text)?.[1] ?? null) : null;
}
