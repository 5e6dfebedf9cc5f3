/**
 * The JSON scanner and the cutter, against a parser of our own. Valid bodies: both read the same.
 * Any bytes: what the scanner takes for whole is whole but for what lies within strings, the way of
 * splitting them changes nothing, and a cut body is the tree less what was to be cut.
 */
import assert from 'node:assert/strict';
import { applyEdits, type Edit } from '../../../src/core/json/cutter.ts';
import {
  createKeyScanner,
  type JsonValue,
  type KeyScannerOptions,
  wantKeys,
} from '../../../src/core/json/scanner.ts';
import { editsOf } from '../../../src/core/json/testing/places.ts';
import { JSON_DEPTH_MAX } from '../../../src/core/limits.ts';
import { depthOf, lastMember, type Node, parseTree, treeOf } from '../oracles/json-tree.ts';
import { spoilsJsonParse } from '../oracles/v8-fault.ts';
import { pieces, type Random, seedsOf, type Target } from '../target.ts';

const KEYS = ['model', 'stream', 'metadata', 'system', '__proto__', ''];
const WANTED = wantKeys(...KEYS);
const BOUND = 48;
/** From this size on the scanner searches a piece by vectors. */
const LARGE_BYTES = 512;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const BODY =
  '{"model":"claude-haiku-5-5","max_tokens":5,"system":[{"type":"text","text":' +
  '"x-anthropic-billing-header: v=1"},{"type":"text","text":"be brief"}],"messages":[{"role":' +
  '"user","content":"a \\"model\\": \\\\ \\u00e9"}],"metadata":{"user_id":"u-1","x":1},"stream":true}';
const SEEDS = seedsOf(
  BODY,
  '{}',
  '\ufeff{"model":null}',
  '{"mod\\u0065l":"a","model":"b"}',
  '{"metadata":{"user_id":1,"user_id":2},"system":[],"system":[{"text":"x-anthropic-billing-header:"}]}',
  '{"a":[1,-0.5e+7,true,false,null,{"model":"decoy"}],"model":"m"}',
  `{"a":"${'\\\\"\\\\\\\\'.repeat(150)}","model":"m"}`,
  `{"a":${'['.repeat(60)}${']'.repeat(60)}}`,
  '{"stream":false, "system":"x-anthropic-billing-header: a","metadata":[{"user_id":1}]}',
  '{"system":[{"text":"\\u0078-anthropic-billing-header:","text":"no"},{"text":"x-anthropic-billing-header:"},1]}',
);
const DICTIONARY = [
  ...KEYS.map((key) => `"${key}":`),
  '"user_id":"u",',
  '"text":"x-anthropic-billing-header: a"',
  '{"text":"x-anthropic-billing-header:b"},',
  '\\u006d',
  '\\"',
  '\\\\',
  '\ufeff',
  '\\ud83d\\ude00',
  'é',
  'true',
  'null',
  '1e5',
  '[[[[',
  ']]]]',
];

type Create = typeof createKeyScanner;

interface Read {
  readonly complete: boolean;
  readonly values: ReadonlyMap<string, JsonValue>;
  /** What `onValue` was told, in order. */
  readonly told: readonly (readonly [string, number, number, JsonValue])[];
}

/** The scanner as a target; another one may be given in its place. */
export function jsonScannerTarget(create: Create = createKeyScanner): Target {
  return {
    name: 'json-scanner',
    oracle: 'a parser of our own: the same values; strings aside, whole only if valid; any split',
    covers: [
      'src/core/json/scanner.ts',
      'src/core/json/keeper.ts',
      'src/core/json/strings.ts',
      'src/core/json/vectors.ts',
    ],
    seeds: SEEDS,
    dictionary: DICTIONARY,
    bytesMax: 3072,
    check: (input, random) => checkScanner(create, input, random),
  };
}

function read(create: Create, parts: readonly Buffer[], options: KeyScannerOptions): Read {
  const told: [string, number, number, JsonValue][] = [];
  const onValue = (key: string, start: number, end: number, value: JsonValue): void => {
    told.push([key, start, end, value]);
  };
  const scanner = create(WANTED, { ...options, onValue });
  for (const part of parts) {
    scanner.push(part);
    // What was pushed is the caller's again: a socket reads into it anew.
    if (parts.length > 1) part.fill(0x22);
  }
  return { ...scanner.finish(), told };
}

function checkScanner(create: Create, input: Buffer, random: Random): void {
  const whole = read(create, [input], {});
  assert.deepEqual(read(create, pieces(input, random), {}), whole, 'a split changes what is read');
  assert.deepEqual(
    read(create, pieces(input, random, 1), {}),
    whole,
    'single bytes are read so too',
  );
  checkLarge(create, input, whole, random);
  const bounded = { valueBytesMax: BOUND };
  const short = read(create, [input], bounded);
  assert.deepEqual(read(create, pieces(input, random), bounded), short, 'a split under a bound');
  checkBound(short, whole);
  assert.equal(
    whole.complete && !isWholeButForStrings(input),
    false,
    'takes for whole what is not',
  );
  const tree = treeOf(input);
  if (tree?.t !== 'object' || depthOf(tree) > JSON_DEPTH_MAX) return;
  assert(whole.complete, 'refuses a valid object');
  for (const key of KEYS) {
    const expected = lastMember(tree, key);
    const found = whole.values.get(key);
    assert.equal(
      found === undefined,
      expected === undefined,
      'finds a key that is none, or not one',
    );
    if (found !== undefined && expected !== undefined) checkValue(found, expected);
  }
}

/** Large pieces are searched by vectors, small ones by the engine: with space in front all are large. */
function checkLarge(create: Create, input: Buffer, whole: Read, random: Random): void {
  // A mark that is not in front is none.
  if (input[0] === BYTE_ORDER_MARK[0]) return;
  const space = LARGE_BYTES + random.int(64);
  const padded = Buffer.concat([Buffer.alloc(space, ' '), input]);
  const told = whole.told.map(([key, start, end, value]) => [
    key,
    start + space,
    end + space,
    value,
  ]);
  const expected = { ...whole, told };
  assert.deepEqual(read(create, [padded], {}), expected, 'a large piece is read otherwise');
  const parts = pieces(padded, random, 2 * LARGE_BYTES);
  assert.deepEqual(read(create, parts, {}), expected, 'large and small pieces are read otherwise');
}

function checkValue(found: JsonValue, expected: Node): void {
  switch (found.kind) {
    case 'string':
      assert.deepEqual({ t: 'string', value: found.value }, expected, 'another string');
      break;
    case 'literal':
      assert.deepEqual({ t: 'literal', text: found.text }, expected, 'another literal');
      break;
    case 'object':
    case 'array':
      if (found.bytes !== null) {
        assert.deepEqual(treeOf(found.bytes), expected, 'another object or array');
      }
      break;
    case 'too_long':
      assert(expected.t === 'string' || expected.t === 'literal', 'too long is a scalar');
  }
}

/** Under a bound the same values are told of, each kept only if it is short enough. */
function checkBound(short: Read, whole: Read): void {
  if (!whole.complete) return;
  assert.equal(short.told.length, whole.told.length, 'a bound hides a value');
  for (const [i, [, start, end, value]] of short.told.entries()) {
    const quotes = value.kind === 'string' ? 2 : 0;
    const isKept = value.kind !== 'too_long' && !('bytes' in value && value.bytes === null);
    if (isKept) assert(end - start - quotes <= BOUND, 'keeps more than its bound');
    else assert(end - start > BOUND, 'lets go of what its bound allows');
    assert.deepEqual([start, end], whole.told[i]?.slice(1, 3), 'a bound moves a value');
  }
}

/** True for bytes that are one JSON object once every string is plain. */
function isWholeButForStrings(bytes: Buffer): boolean {
  const text = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  return parseTree(text.replace(/"(?:[^"\\]|\\[\s\S])*"/g, '"s"'))?.t === 'object';
}

const MODEL = 'glm-4.5-air';
const PLAN = { model: MODEL, dropUserId: true, dropAttribution: true };
const ATTRIBUTION = 'x-anthropic-billing-header:';

/** The cutter as a target; another planner may be given in its place. */
export function jsonCutterTarget(plan: typeof editsOf = editsOf): Target {
  return {
    name: 'json-cutter',
    oracle: 'the tree of the cut body is that of the body, less what is to be cut; else null',
    covers: ['src/core/json/cutter.ts', 'src/core/json/walk.ts'],
    seeds: SEEDS,
    dictionary: DICTIONARY,
    bytesMax: 2048,
    check(input) {
      if (spoilsJsonParse(input)) return;
      checkCutter(input, plan([input], PLAN));
    },
  };
}

function checkCutter(input: Buffer, edits: readonly Edit[] | null): void {
  const tree = treeOf(input);
  const isValid = tree?.t === 'object' && depthOf(tree) <= JSON_DEPTH_MAX;
  if (edits === null) {
    assert(!isValid, 'refuses a valid object');
    return;
  }
  assert(isWholeButForStrings(input), 'edits what is not whole');
  let at = 0;
  for (const { start, end } of edits) {
    assert(start >= at && end >= start && end <= input.length, 'edits overlap or leave the body');
    at = end;
  }
  const cut = Buffer.concat(applyEdits([input], edits));
  assert(isWholeButForStrings(cut), 'cuts a whole object into pieces');
  if (isValid) assert.deepEqual(treeOf(cut), edited(tree), 'cuts something else');
}

function edited(tree: Node & { t: 'object' }): Node {
  return {
    t: 'object',
    members: tree.members.map(([key, value]) => {
      if (key === 'model' && value.t === 'string') return [key, { t: 'string', value: MODEL }];
      if (key === 'metadata' && value.t === 'object') {
        const members = value.members.filter(([name]) => name !== 'user_id');
        return [key, { t: 'object', members }];
      }
      if (key === 'system' && value.t === 'array') {
        const doomed = value.entries.findIndex(isAttribution);
        const entries = value.entries.filter((_, index) => index !== doomed);
        return [key, { t: 'array', entries }];
      }
      return [key, value];
    }),
  };
}

function isAttribution(entry: Node): boolean {
  const text = lastMember(entry, 'text');
  return text?.t === 'string' && text.value.startsWith(ATTRIBUTION);
}
