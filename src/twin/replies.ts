/**
 * What the twin says: the blocks of a reply, drawn from the directives of the prompt or, without
 * any, a short text that names the persona. Pure; how a reply travels is `events.ts`.
 */
import { isObject, type Json, type Turn } from './body.ts';
import type { ContentDirective, Directives } from './control.ts';
import { tokensOf, withinTokens } from './count.ts';
import { BASE58, BASE64, type Random } from './seed.ts';
import type { PersonaName } from './types.ts';

/** A block of a reply. Its `pieces` are the deltas it travels in; joined they are the whole. */
export type ReplyBlock =
  | { readonly type: 'text'; readonly pieces: readonly string[] }
  | {
      readonly type: 'thinking';
      /** Empty where the request asked for thinking to be omitted. */
      readonly pieces: readonly string[];
      readonly signature: string;
    }
  | {
      readonly type: 'tool_use';
      readonly id: string;
      readonly name: string;
      /** JSON text. */
      readonly pieces: readonly string[];
    };

/** A whole reply. */
export interface Reply {
  readonly blocks: readonly ReplyBlock[];
  readonly stopReason: string;
  readonly stopSequence: string | null;
  readonly outputTokens: number;
  /** Within `outputTokens`. */
  readonly thinkingTokens: number;
}

const THINKING_WORDS = 12;
const SIGNATURE_CHARACTERS = 128;
const WORDS_PER_PIECE_MAX = 4;
const JSON_PIECE_CHARACTERS_MAX = 16;
const WORDS =
  'a lane keeps its own side of the road and lets every stream arrive whole while the ledger writes what it saw'.split(
    ' ',
  );

/** What a reply is drawn from. */
export interface ReplyContext {
  readonly persona: PersonaName;
  readonly request: Json;
  readonly turn: Turn;
  readonly directives: Directives | null;
  readonly random: Random;
  readonly toolId: (random: Random) => string;
}

/** Composes the reply to a valid request. */
export function composeReply(context: ReplyContext): Reply {
  const { request, random, directives } = context;
  const blocks: ReplyBlock[] = [];
  const budget = { tokens: Number(request['max_tokens']) };
  const spent = { thinking: 0, rest: 0 };
  const ending: Ending = { stopReason: 'end_turn', stopSequence: null };

  const thinking = thinkingOf(request, random);
  if (thinking !== null) {
    blocks.push(thinking);
    // Omitted thinking is paid for like any other.
    spent.thinking = Math.min(THINKING_WORDS, budget.tokens);
    budget.tokens -= spent.thinking;
  }
  for (const content of contentOf(context)) {
    const block = blockOf(content, context, budget, ending);
    blocks.push(block);
    const cost = content.kind === 'events' ? content.count : tokensOf(block.pieces.join(''));
    spent.rest += cost;
    if (content.kind !== 'events') budget.tokens -= cost;
    if (ending.stopReason !== 'end_turn') break;
  }
  if (ending.stopReason === 'end_turn' && blocks.some((block) => block.type === 'tool_use')) {
    ending.stopReason = 'tool_use';
  }
  return {
    blocks,
    stopReason: directives?.stop ?? ending.stopReason,
    stopSequence: ending.stopSequence,
    outputTokens: Math.max(1, spent.thinking + spent.rest),
    thinkingTokens: spent.thinking,
  };
}

interface Ending {
  stopReason: string;
  stopSequence: string | null;
}

/** The content that directives, a forced tool choice or nothing at all ask for. */
function contentOf(context: ReplyContext): readonly ContentDirective[] {
  const { directives, turn, persona, request } = context;
  if (directives !== null && directives.content.length > 0) return directives.content;
  if (turn.round > 0) return [{ kind: 'say', text: `done from ${persona}` }];
  const choice = request['tool_choice'];
  if (isObject(choice) && choice['type'] === 'tool' && typeof choice['name'] === 'string') {
    return [{ kind: 'tool', name: choice['name'], input: '{}' }];
  }
  return [{ kind: 'say', text: `ok from ${persona}` }];
}

function blockOf(
  content: ContentDirective,
  context: ReplyContext,
  budget: { readonly tokens: number },
  ending: Ending,
): ReplyBlock {
  const { random } = context;
  switch (content.kind) {
    case 'tool':
      return {
        type: 'tool_use',
        id: context.toolId(random),
        name: content.name,
        pieces: ['', ...cut(content.input, random)],
      };
    case 'events':
      return { type: 'text', pieces: Array.from({ length: content.count }, (_, i) => `${i + 1} `) };
    case 'say':
      return textBlock(content.text, context, budget, ending);
    case 'text':
      return textBlock(wordsOf(content.words, random), context, budget, ending);
  }
}

/** A text block as far as stop sequences and the token budget let it go. */
function textBlock(
  text: string,
  { request, random }: ReplyContext,
  budget: { readonly tokens: number },
  ending: Ending,
): ReplyBlock {
  let said = text;
  const sequences = request['stop_sequences'];
  for (const sequence of Array.isArray(sequences) ? sequences : []) {
    const at = typeof sequence === 'string' && sequence !== '' ? said.indexOf(sequence) : -1;
    if (at < 0) continue;
    said = said.slice(0, at);
    ending.stopReason = 'stop_sequence';
    ending.stopSequence = sequence;
  }
  if (tokensOf(said) > budget.tokens) {
    said = withinTokens(said, Math.max(0, budget.tokens));
    ending.stopReason = 'max_tokens';
    ending.stopSequence = null;
  }
  return { type: 'text', pieces: piecesOfWords(said, random) };
}

function thinkingOf(request: Json, random: Random): ReplyBlock | null {
  const { thinking } = request;
  if (!isObject(thinking)) return null;
  if (thinking['type'] !== 'enabled' && thinking['type'] !== 'adaptive') return null;
  const text = wordsOf(THINKING_WORDS, random);
  return {
    type: 'thinking',
    pieces: thinking['display'] === 'omitted' ? [] : piecesOfWords(text, random),
    signature: `${random.text(BASE64, SIGNATURE_CHARACTERS - 1)}=`,
  };
}

function wordsOf(count: number, random: Random): string {
  const words: string[] = [];
  for (let i = 0; i < count; i += 1) words.push(WORDS[random.below(WORDS.length)] ?? '');
  return words.join(' ');
}

/** A text in runs of a few words, white space kept. */
function piecesOfWords(text: string, random: Random): string[] {
  const words = text.match(/\s*\S+\s*$|\s*\S+/g) ?? (text === '' ? [] : [text]);
  const pieces: string[] = [];
  for (let i = 0; i < words.length; ) {
    const take = 1 + random.below(WORDS_PER_PIECE_MAX);
    pieces.push(words.slice(i, i + take).join(''));
    i += take;
  }
  return pieces;
}

/** JSON text in pieces that respect nothing of its structure, as the API cuts it. */
function cut(text: string, random: Random): string[] {
  const pieces: string[] = [];
  for (let i = 0; i < text.length; ) {
    const take = 1 + random.below(JSON_PIECE_CHARACTERS_MAX);
    pieces.push(text.slice(i, i + take));
    i += take;
  }
  return pieces;
}

/** A tool_use id as Anthropic spells it. */
export function toolUseId(random: Random): string {
  return `toolu_01${random.text(BASE58, 22)}`;
}
