/**
 * Directives: how a prompt steers the twin's answer.
 *
 * ```
 * [twin: NAME argument… key=value…]
 * ```
 *
 * Content, in order of appearance, each a block of the answer:
 * - `say TEXT`            a text block that says TEXT (without `]`)
 * - `text N words`        a text block of N words
 * - `events N`            a text block of exactly N deltas, `1 ` to `N `, whatever `max_tokens` says
 * - `tool NAME {json}`    a tool_use block; the JSON may hold further directives for whoever gets it
 *
 * Delivery:
 * - `pause MS`            silence before the head; `after=N`: after the Nth event instead
 * - `gap MS`              silence between every two events
 * - `chunk BYTES`         the payload in pieces of this size, whatever the events
 * - `encoding NAME`       gzip, br, zstd or deflate; `auto`: the best that Accept-Encoding allows
 *
 * Outcome:
 * - `stop REASON`         that stop_reason
 * - `status CODE`         an error of that status; `code=1302` (zai's business code), `retry-after=S`,
 *                         `should-retry=true|false`, `times=N`: only the first N tries of these bytes
 *
 * `then` ends the directives of one turn: what follows is for the turn after the next tool result.
 * A directive that can not be read is an error 400 that says so, never ignored.
 */
import { TWIN_DIRECTIVE_MAX } from '../core/limits.ts';

/** A content coding that the twin can apply. */
export type Coding = 'gzip' | 'br' | 'zstd' | 'deflate';

/** A block that a directive asks for. */
export type ContentDirective =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'text'; readonly words: number }
  | { readonly kind: 'events'; readonly count: number }
  | { readonly kind: 'tool'; readonly name: string; readonly input: string };

/** An error that a directive asks for. */
export interface StatusDirective {
  readonly status: number;
  readonly code: string | null;
  readonly retryAfter: string | null;
  readonly shouldRetry: string | null;
  /** How many tries get it; null: all. */
  readonly times: number | null;
}

/** Everything that is asked for one turn. */
export interface Directives {
  readonly content: readonly ContentDirective[];
  /** Silence before the head, ms. */
  readonly pauseMs: number;
  /** Silence after the Nth event, ms, by N. */
  readonly pausesAfter: ReadonlyMap<number, number>;
  readonly gapMs: number;
  readonly chunkBytes: number | null;
  readonly encoding: Coding | 'auto' | null;
  readonly stop: string | null;
  readonly status: StatusDirective | null;
}

/** A directive that can not be read; the message names it. */
export class DirectiveError extends Error {
  override readonly name = 'DirectiveError';
}

type Draft = {
  -readonly [K in keyof Directives]: Directives[K] extends ReadonlyMap<infer A, infer B>
    ? Map<A, B>
    : Directives[K] extends readonly (infer E)[]
      ? E[]
      : Directives[K];
};

interface RawDirective {
  readonly name: string;
  readonly rest: string;
}

const OPENING = '[twin:';
const CODINGS: ReadonlySet<string> = new Set(['gzip', 'br', 'zstd', 'deflate', 'auto']);

/**
 * Reads the directives of a prompt for one of its turns.
 *
 * @param turn 0 for the answer to the prompt, 1 after the first tool result, and so on
 * @returns null where the prompt has nothing for that turn
 * @throws DirectiveError
 */
export function readDirectives(prompt: string, turn: number): Directives | null {
  let at = 0;
  const draft = freshDraft();
  let found = false;
  for (const directive of directivesIn(prompt)) {
    if (directive.name === 'then') {
      at += 1;
      continue;
    }
    if (at !== turn) continue;
    found = true;
    apply(draft, directive);
  }
  return found ? draft : null;
}

function freshDraft(): Draft {
  return {
    content: [],
    pauseMs: 0,
    pausesAfter: new Map(),
    gapMs: 0,
    chunkBytes: null,
    encoding: null,
    stop: null,
    status: null,
  };
}

function* directivesIn(prompt: string): Generator<RawDirective> {
  let from = prompt.indexOf(OPENING);
  while (from >= 0) {
    const start = from + OPENING.length;
    const brace = prompt.indexOf('{', start);
    const bracket = prompt.indexOf(']', start);
    // A JSON argument may hold brackets of its own: it is skipped whole.
    const json = brace >= 0 && brace < bracket && /^\s*tool\s/.test(prompt.slice(start, brace));
    const end = json ? prompt.indexOf(']', endOfObject(prompt, brace)) : bracket;
    if (end < 0) throw new DirectiveError('a directive has no closing bracket');
    const inner = prompt.slice(start, end).trim();
    const [name = ''] = inner.split(/\s/, 1);
    yield { name, rest: inner.slice(name.length).trim() };
    from = prompt.indexOf(OPENING, end + 1);
  }
}

/** The index behind the object that begins at `open`. */
function endOfObject(text: string, open: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = open; i < text.length; i += 1) {
    const c = text[i];
    if (quoted) {
      if (c === '\\') i += 1;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{') depth += 1;
    else if (c === '}') {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  throw new DirectiveError('the JSON of a tool directive has no end');
}

function apply(draft: Draft, { name, rest }: RawDirective): void {
  const { words, options } = argumentsOf(rest);
  const first = words[0] ?? '';
  switch (name) {
    case 'say':
      draft.content.push({ kind: 'say', text: rest });
      break;
    case 'text':
      draft.content.push({ kind: 'text', words: numberOf(name, first) });
      break;
    case 'events':
      draft.content.push({ kind: 'events', count: numberOf(name, first) });
      break;
    case 'tool':
      draft.content.push(toolOf(rest));
      break;
    case 'pause': {
      const after = options.get('after');
      if (after === undefined) draft.pauseMs = numberOf(name, first);
      else draft.pausesAfter.set(numberOf(name, after), numberOf(name, first));
      break;
    }
    case 'gap':
      draft.gapMs = numberOf(name, first);
      break;
    case 'chunk':
      draft.chunkBytes = Math.max(1, numberOf(name, first));
      break;
    case 'encoding':
      if (!isCoding(first)) throw new DirectiveError(`encoding: ${first} is not known`);
      draft.encoding = first;
      break;
    case 'stop':
      draft.stop = first;
      break;
    case 'status':
      draft.status = statusOf(first, options);
      break;
    default:
      throw new DirectiveError(`${name} is not a directive`);
  }
}

function isCoding(text: string): text is Coding | 'auto' {
  return CODINGS.has(text);
}

function argumentsOf(rest: string): { words: string[]; options: Map<string, string> } {
  const words: string[] = [];
  const options = new Map<string, string>();
  for (const part of rest.split(/\s+/)) {
    const equals = part.indexOf('=');
    if (equals > 0) options.set(part.slice(0, equals), part.slice(equals + 1));
    else words.push(part);
  }
  return { words, options };
}

function toolOf(rest: string): ContentDirective {
  const brace = rest.indexOf('{');
  const name = (brace < 0 ? rest : rest.slice(0, brace)).trim();
  const input = brace < 0 ? '{}' : rest.slice(brace);
  if (!/^[\w-]+$/.test(name)) throw new DirectiveError(`tool: ${name} is not a name`);
  try {
    return { kind: 'tool', name, input: JSON.stringify(JSON.parse(input)) };
  } catch {
    throw new DirectiveError(`tool ${name}: the input is not valid JSON`);
  }
}

function statusOf(first: string, options: ReadonlyMap<string, string>): StatusDirective {
  const status = numberOf('status', first);
  if (status < 400 || status > 599) throw new DirectiveError('status: 400 to 599');
  const times = options.get('times');
  return {
    status,
    code: options.get('code') ?? null,
    retryAfter: options.get('retry-after') ?? null,
    shouldRetry: options.get('should-retry') ?? null,
    times: times === undefined ? null : numberOf('status', times),
  };
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isInteger(value) || value < 0 || value > TWIN_DIRECTIVE_MAX) {
    throw new DirectiveError(`${name}: a whole number up to ${TWIN_DIRECTIVE_MAX} is needed`);
  }
  return value;
}
