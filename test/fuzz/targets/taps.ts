/**
 * The taps, against readers written plainly over the whole text: the same events, counts and errors,
 * whatever the bytes and however they are split.
 */
import assert from 'node:assert/strict';
import { KEY_VALUE_BYTES_MAX, TAP_LINE_BYTES_MAX } from '../../../src/core/limits.ts';
import {
  type AnswerFacts,
  type AnswerTap,
  emptyFacts,
  type FactsDraft,
} from '../../../src/core/tap/facts.ts';
import { createJsonTap } from '../../../src/core/tap/json-tap.ts';
import { createSseTap } from '../../../src/core/tap/sse-tap.ts';
import { plainEvents } from '../../../src/core/tap/testing/plain-events.ts';
import { lastMember, type Node, parseTree, treeOf } from '../oracles/json-tree.ts';
import { spoilsJsonParse } from '../oracles/v8-fault.ts';
import { pieces, type Random, seedsOf, type Target } from '../target.ts';

const STREAM =
  'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-haiku-5-5",' +
  '"usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":null,' +
  '"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"index":0}\n\nevent: ping\ndata: {}\n\n' +
  'event: content_block_delta\ndata: {"delta":{"text":"a"}}\n\nevent: content_block_stop\ndata: {}\n\n' +
  'event: message_delta\ndata: {"usage":{"output_tokens":15}}\n\nevent: message_stop\ndata: {}\n\n';
const ERROR = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n';
const WORDS = [
  'event: ',
  'data: ',
  'event:message_start\n',
  'event:message_delta\r\n',
  'event:error\r',
  'event: message_stop\ndata\n\n',
  'data: {"type":"message_delta","usage":{"output_tokens":-1}}\n\n',
  '"usage":{"input_tokens":1e3}',
  '"input_tokens":',
  '"output_tokens":"7"',
  '"cache_read_input_tokens":9007199254740993',
  '"error":{"type":"1302","code":"1113","message":"[1210] no"}',
  '"type":"error"',
  '"model":"m"',
  '"code":500',
  '-0',
  '1e400',
  '\ufeff',
  '\r\n',
  '\n\n',
  ': comment\n',
  '\\u0000',
];

type Create = () => AnswerTap;

function tap(create: Create, parts: readonly Buffer[]): AnswerFacts {
  const reader = create();
  for (const part of parts) {
    reader.push(part);
    if (parts.length > 1) part.fill(0x0a);
  }
  return reader.finish();
}

function checkSplits(create: Create, input: Buffer, random: Random): AnswerFacts {
  const whole = tap(create, [input]);
  assert.deepEqual(tap(create, pieces(input, random)), whole, 'a split changes what is learnt');
  assert.deepEqual(tap(create, pieces(input, random, 1)), whole, 'single bytes are read so too');
  for (const tokens of Object.values(whole.usage)) {
    assert(
      tokens === null || (Number.isSafeInteger(tokens) && tokens >= 0),
      'a count that is none',
    );
    assert(!Object.is(tokens, -0), 'a count of -0');
  }
  return whole;
}

/** The tap of event streams as a target; another one may be given in its place. */
export function sseTapTarget(create: Create = createSseTap): Target {
  return {
    name: 'sse-tap',
    oracle: 'a plain reader of the WHATWG standard, section 9.2.6, over the whole text; any split',
    covers: ['src/core/tap/sse-tap.ts', 'src/core/tap/facts.ts', 'src/core/tap/grammar.ts'],
    seeds: seedsOf(
      STREAM,
      STREAM + ERROR,
      STREAM.replaceAll('\n', '\r\n'),
      STREAM.replaceAll('\n', '\r'),
      `\ufeff${ERROR}`,
      'data: {"type":"message_start",\ndata: "message":{"model":"x"}}\n\n',
      'data: {"error":{"code":1302}}\n\ndata: [DONE]\n\n',
      'event\ndata\n\n:\n\nid: 1\nretry: 5\n\n',
    ),
    dictionary: WORDS,
    bytesMax: 4096,
    check(input, random) {
      if (spoilsJsonParse(input)) return;
      const { violations, ...facts } = checkSplits(create, input, random);
      const plain = plainFacts(input);
      // Data that an event's first name does not want are not kept for its second: it says so.
      const expected =
        facts.lost && plain.renamed ? { ...facts, events: plain.facts.events } : plain.facts;
      assert.deepEqual(facts, expected, 'learns something else than a plain reader');
      assert(violations <= 2 * facts.events, 'more violations than events allow');
    },
  };
}

/** The tap of JSON answers as a target; another one may be given in its place. */
export function jsonTapTarget(create: Create = createJsonTap): Target {
  return {
    name: 'json-tap',
    oracle: 'the members of the whole tree, where the answer is one valid object; any split',
    covers: ['src/core/tap/json-tap.ts', 'src/core/tap/facts.ts'],
    seeds: seedsOf(
      '{"id":"m","type":"message","model":"claude-haiku-5-5","content":[{"type":"text","text":"a"}],' +
        '"usage":{"input_tokens":10,"output_tokens":2,"cache_read_input_tokens":null}}',
      '{"type":"error","error":{"type":"rate_limit_error","message":"[1302] slow"}}',
      '{"error":{"code":"1113","message":"x"}}',
      '{"code":500,"msg":"404","error":false}',
      '{"input_tokens":2095}',
    ),
    dictionary: WORDS,
    bytesMax: 2048,
    check(input, random) {
      if (spoilsJsonParse(input)) return;
      const facts = checkSplits(create, input, random);
      const tree = treeOf(input);
      if (tree?.t !== 'object') return;
      assert.deepEqual(facts, plainJsonFacts(tree), 'learns something else than a plain reader');
    },
  };
}

type Facts = Omit<AnswerFacts, 'violations'>;

/** Facts by way of whole events and whole trees, and whether an event changed its name. */
function plainFacts(bytes: Buffer): { readonly facts: Facts; readonly renamed: boolean } {
  const facts = emptyFacts();
  const events = plainEvents(bytes);
  for (const { name, data } of events) {
    facts.events += 1;
    assert(data.length <= TAP_LINE_BYTES_MAX, 'inputs of this target are below the bound');
    const value = parseTree(data);
    switch (name === '' ? nameByData(value) : name) {
      case 'message_start': {
        const message = lastMember(value, 'message');
        learnModel(facts, lastMember(message, 'model'));
        learnUsage(facts, lastMember(message, 'usage'));
        break;
      }
      case 'message_delta':
        learnUsage(facts, lastMember(value, 'usage'));
        break;
      case 'message_stop':
        facts.sawStop = true;
        break;
      case 'error':
        learnError(facts, lastMember(value, 'error'), lastMember(value, 'code'));
        break;
      default:
    }
  }
  const { violations: _none, ...counted } = facts;
  return { facts: counted, renamed: events.some((event) => event.renamed) };
}

function plainJsonFacts(tree: Node): AnswerFacts {
  const facts = emptyFacts();
  facts.sawStop = true;
  learnModel(facts, lastMember(tree, 'model'));
  learnUsage(facts, lastMember(tree, 'usage'));
  const error = lastMember(tree, 'error');
  const type = lastMember(tree, 'type');
  const isNamed = type?.t === 'string' && type.value === 'error';
  const isMeant = !(error?.t === 'literal' && (error.text === 'null' || error.text === 'false'));
  if (isNamed || (error !== undefined && isMeant)) {
    learnError(facts, error, lastMember(tree, 'code'));
  }
  return facts;
}

function nameByData(value: Node | null): string {
  const type = lastMember(value, 'type');
  if (type?.t === 'string') return type.value;
  const error = lastMember(value, 'error');
  return error?.t === 'object' || error?.t === 'array' ? 'error' : '';
}

function learnModel(facts: FactsDraft, model: Node | undefined): void {
  if (model?.t !== 'string' || model.value === '') return;
  if (model.value.length > KEY_VALUE_BYTES_MAX) facts.lost = true;
  else facts.modelServed = model.value;
}

function learnUsage(facts: FactsDraft, usage: Node | undefined): void {
  const { usage: known } = facts;
  known.inputTokens = countIn(usage, 'input_tokens') ?? known.inputTokens;
  known.outputTokens = countIn(usage, 'output_tokens') ?? known.outputTokens;
  known.cacheReadTokens = countIn(usage, 'cache_read_input_tokens') ?? known.cacheReadTokens;
  known.cacheWriteTokens = countIn(usage, 'cache_creation_input_tokens') ?? known.cacheWriteTokens;
}

function countIn(usage: Node | undefined, key: string): number | null {
  const value = lastMember(usage, key);
  const count = value?.t === 'literal' ? Number(value.text) : Number.NaN;
  const isNumber = value?.t === 'literal' && /^[-0-9]/.test(value.text);
  return isNumber && Number.isSafeInteger(count) && count >= 0 ? Math.abs(count) : null;
}

function learnError(facts: FactsDraft, error: Node | undefined, code: Node | undefined): void {
  facts.sawError = true;
  const type = shortText(lastMember(error, 'type'));
  const message = lastMember(error, 'message');
  const inBrackets =
    message?.t === 'string' ? /^\[(\d{3,6})\]/.exec(message.value)?.[1] : undefined;
  const codes = [
    shortText(lastMember(error, 'code')),
    shortText(code),
    type !== null && /^\d+$/.test(type) ? type : null,
    inBrackets ?? null,
  ];
  facts.errorType = type ?? facts.errorType;
  facts.errorCode = codes.find((found) => found !== null) ?? facts.errorCode;
}

/** What may reach the ledger of an upstream's texts: a short token. */
function shortText(value: Node | undefined): string | null {
  if (value?.t === 'string') return /^[\w.:-]{1,64}$/.test(value.value) ? value.value : null;
  if (value?.t !== 'literal' || !/^[-0-9]/.test(value.text)) return null;
  return String(Number(value.text));
}
