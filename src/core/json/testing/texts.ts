/**
 * Generators for tests: JSON texts spelt in every way the grammar allows, with decoys of the keys
 * that matter, and ways to cut bytes into pieces.
 */
import fc from 'fast-check';

/** A JSON value as a tree that can hold duplicate keys. */
export type Node =
  | { readonly t: 'object'; readonly members: readonly (readonly [key: string, value: Node])[] }
  | { readonly t: 'array'; readonly entries: readonly Node[] }
  | { readonly t: 'string'; readonly value: string }
  | { readonly t: 'literal'; readonly text: string };

const DECOYS = ['model', 'stream', 'metadata', 'user_id', 'system', 'text', 'x', '', '__proto__'];
const TEXTS = [
  '"model":"decoy"',
  '\\',
  '\\\\"',
  '{"stream":true}',
  'x-anthropic-billing-header: a',
  '\ud83d\ude00',
  '\ud800',
  '\u00e9\u4e2d\u2028',
  '\ufeff',
  '\n\t\u0000/',
];
const NUMBERS = ['0', '-0', '12', '-1.5', '1e5', '2E-3', '0.25e+2', '123456789012345678901'];

/** Any string: names of interest, characters that are awkward, and everything else. */
export const anyText = fc.oneof(
  fc.constantFrom(...DECOYS, ...TEXTS),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ maxLength: 80 }),
);

const { node } = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ t: fc.constant('string' as const), value: anyText }),
    fc.record({
      t: fc.constant('literal' as const),
      text: fc.constantFrom('true', 'false', 'null', ...NUMBERS),
    }),
    fc.record({
      t: fc.constant('array' as const),
      entries: fc.array(tie('node'), { maxLength: 4 }),
    }),
    fc.record({
      t: fc.constant('object' as const),
      members: fc.array(fc.tuple(fc.oneof(fc.constantFrom(...DECOYS), anyText), tie('node')), {
        maxLength: 4,
      }),
    }),
  ),
}));

/** Any JSON value. */
export const anyNode: fc.Arbitrary<Node> = node;

/** A JSON object whose top level has the given keys often, and more than once. */
export function objectWith(...keys: string[]): fc.Arbitrary<Node> {
  const key = fc.oneof(
    { arbitrary: fc.constantFrom(...keys), weight: 3 },
    { arbitrary: anyText, weight: 1 },
  );
  const members = fc.array(fc.tuple(key, anyNode), { maxLength: 7 });
  return members.map((list) => ({ t: 'object', members: list }));
}

/** A source of small choices, from a list that is used round and round. */
export type Choose = (count: number) => number;

/** A list of choices for `chooser`. */
export const choices = fc.array(fc.nat({ max: 255 }), { minLength: 1, maxLength: 64 });

export function chooser(list: readonly number[]): Choose {
  let at = 0;
  return (count) => {
    const choice = list[at % list.length] ?? 0;
    at += 1;
    return choice % count;
  };
}

const SPACES = ['', '', '', ' ', '\n', '\t \r\n', '  '];
const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** Spells a value: white space and escapes as chosen. */
export function spell(value: Node, choose: Choose): string {
  const space = (): string => SPACES[choose(SPACES.length)] ?? '';
  switch (value.t) {
    case 'literal':
      return value.text;
    case 'string':
      return spellString(value.value, choose);
    case 'array': {
      const entries = value.entries.map((entry) => `${space()}${spell(entry, choose)}${space()}`);
      return `[${entries.length === 0 ? space() : entries.join(',')}]`;
    }
    case 'object': {
      const members = value.members.map(([key, inner]) => {
        const name = spellString(key, choose);
        return `${space()}${name}${space()}:${space()}${spell(inner, choose)}${space()}`;
      });
      return `{${members.length === 0 ? space() : members.join(',')}}`;
    }
  }
}

function spellString(value: string, choose: Choose): string {
  let spelt = '"';
  for (let i = 0; i < value.length; i += 1) {
    const unit = value.charAt(i);
    const code = value.charCodeAt(i);
    const hex = code.toString(16).padStart(4, '0');
    const short = SHORT[unit];
    const way = choose(6);
    if (way === 0) spelt += `\\u${hex}`;
    else if (way === 1) spelt += `\\u${hex.toUpperCase()}`;
    else if (short !== undefined && (unit !== '/' || way === 2)) spelt += short;
    else spelt += code < 0x20 ? `\\u${hex}` : unit;
  }
  return `${spelt}"`;
}

/** Bytes in pieces, as chosen: lengths of 1 to 40, or now and then all that is left. */
export function pieces(bytes: Buffer, choose: Choose): Buffer[] {
  const list: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const count = 1 + choose(41);
    const end = count > 40 ? bytes.length : Math.min(bytes.length, at + count);
    list.push(bytes.subarray(at, end));
    at = end;
  }
  return list;
}

/** The bytes with one change: a byte removed, put in or replaced, or the rest cut off. */
export function mutated(bytes: Buffer, way: number, at: number, byte: number): Buffer {
  const index = bytes.length === 0 ? 0 : at % bytes.length;
  const head = bytes.subarray(0, index);
  switch (way % 4) {
    case 0:
      return Buffer.concat([head, bytes.subarray(index + 1)]);
    case 1:
      return Buffer.concat([head, Buffer.from([byte]), bytes.subarray(index)]);
    case 2:
      return Buffer.concat([head, Buffer.from([byte]), bytes.subarray(index + 1)]);
    default:
      return Buffer.from(head);
  }
}

/**
 * A key that is one backslash. Once Node 26.10 has read one, `JSON.parse` takes keys of one escaped
 * character (`{"k":1,"\\u0041":2}`) for it, for the rest of the process: no oracle any more. Node 20 and
 * 22 do not.
 */
const LONE_BACKSLASH_KEY = /"(?:\\\\|\\u005[cC])"\s*:/;

/**
 * What `JSON.parse` makes of the bytes, a leading byte order mark dropped; undefined if nothing. Only
 * within a property: bytes that would spoil `JSON.parse` itself are passed over.
 */
export function parsed(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  fc.pre(!LONE_BACKSLASH_KEY.test(text));
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}

/** True for a value that is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
