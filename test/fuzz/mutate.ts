/**
 * Mutators. Blind ones (bits, bytes, ranges, splices) reach what no grammar thinks of; the others
 * know that most formats here are text: words and numbers, lines, and brackets that belong together.
 */
import type { Random } from './target.ts';

/** What mutation draws from. */
export interface Material {
  readonly dictionary: readonly Buffer[];
  /** Inputs to splice with; at least one. */
  readonly others: readonly Buffer[];
  readonly bytesMax: number;
}

type Mutator = (input: Buffer, material: Material, random: Random) => Buffer;

const STEPS_MAX = 6;
const REPEATS_MAX = 40;
const ODD_BYTES = Buffer.from(
  '\0\t\n\r "\\:;,=[]{}#&*%@/\x7f\x80\xbf\xc3\xed\xef\xf0\xff',
  'latin1',
);
const ODD_NUMBERS = [
  '0',
  '-0',
  '-1',
  '00',
  '1e999',
  '-1e-999',
  '0.1',
  '255',
  '256',
  '65535',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '99999999999999999999',
  '0x10',
  '1_0',
];

/** A changed copy: one step or a few. */
export function mutate(input: Buffer, material: Material, random: Random): Buffer {
  let bytes = input;
  for (let step = 0; step < STEPS_MAX; step += 1) {
    bytes = random.pick(MUTATORS)(bytes, material, random);
    if (random.once(2)) break;
  }
  return bytes.length > material.bytesMax ? bytes.subarray(0, material.bytesMax) : bytes;
}

const flipBit: Mutator = (input, _, random) => {
  const copy = Buffer.from(input);
  if (copy.length > 0) {
    const at = random.int(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8));
  }
  return copy;
};

const setByte: Mutator = (input, _, random) => {
  const copy = Buffer.from(input);
  if (copy.length > 0) copy[random.int(copy.length)] = anyByte(random);
  return copy;
};

const insertByte: Mutator = (input, _, random) =>
  insert(input, random.int(input.length + 1), Buffer.from([anyByte(random)]));

const remove: Mutator = (input, _, random) => {
  const [start, end] = range(input.length, random);
  return Buffer.concat([input.subarray(0, start), input.subarray(end)]);
};

const repeat: Mutator = (input, _, random) => {
  const [start, end] = range(input.length, random);
  const times = random.once(4) ? 1 + random.int(REPEATS_MAX) : 1;
  return insert(input, end, Buffer.concat(new Array(times).fill(input.subarray(start, end))));
};

const cutOff: Mutator = (input, _, random) => input.subarray(0, random.int(input.length + 1));

const insertWord: Mutator = (input, { dictionary }, random) =>
  dictionary.length === 0
    ? input
    : insert(input, random.int(input.length + 1), random.pick(dictionary));

const splice: Mutator = (input, { others }, random) => {
  const other = random.pick(others);
  const head = input.subarray(0, random.int(input.length + 1));
  return Buffer.concat([head, other.subarray(random.int(other.length + 1))]);
};

const insertPart: Mutator = (input, { others }, random) => {
  const other = random.pick(others);
  const [start, end] = range(other.length, random);
  return insert(input, random.int(input.length + 1), other.subarray(start, end));
};

const TOKEN = /"(?:[^"\\]|\\[\s\S])*"|[A-Za-z_][\w-]*|\d+|\s+|[\s\S]/g;

/** A word, number or string gives way to one of the dictionary, of another input, or to nothing. */
const changeToken: Mutator = (input, { dictionary, others }, random) => {
  const tokens = tokensOf(input);
  if (tokens.length === 0) return input;
  const at = random.int(tokens.length);
  const theirs = tokensOf(random.pick(others));
  const word = dictionary.length > 0 ? random.pick(dictionary).toString('latin1') : '';
  const foreign = theirs.length > 0 ? random.pick(theirs) : '';
  const token = tokens[at] ?? '';
  tokens[at] = random.pick([word, word, foreign, '', token + token, swapCase(token)]);
  return Buffer.from(tokens.join(''), 'latin1');
};

const swapTokens: Mutator = (input, _, random) => {
  const tokens = tokensOf(input);
  if (tokens.length < 2) return input;
  swap(tokens, random.int(tokens.length), random.int(tokens.length));
  return Buffer.from(tokens.join(''), 'latin1');
};

const changeNumber: Mutator = (input, _, random) => {
  const text = input.toString('latin1');
  const numbers = [...text.matchAll(/-?\d+(?:\.\d+)?/g)];
  if (numbers.length === 0) return input;
  const { index, 0: number } = random.pick(numbers);
  const odd = random.once(3) ? String(Number(number) + 1) : random.pick(ODD_NUMBERS);
  return Buffer.from(text.slice(0, index) + odd + text.slice(index + number.length), 'latin1');
};

/** Lines are removed, doubled, moved, or taken from another input. */
const changeLines: Mutator = (input, { others }, random) => {
  const lines = linesOf(input);
  const at = random.int(lines.length);
  switch (random.int(4)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(random.int(lines.length + 1), 0, lines[at] ?? '');
      break;
    case 2:
      swap(lines, at, random.int(lines.length));
      break;
    default:
      lines.splice(at, 0, random.pick(linesOf(random.pick(others))));
  }
  return Buffer.from(lines.join(''), 'latin1');
};

/** What stands between brackets is removed, doubled as a further member, nested, or replaced. */
const changeBracketed: Mutator = (input, { others }, random) => {
  const found = bracketed(input, random);
  if (found === null) return input;
  const [start, end] = found;
  const part = input.subarray(start, end);
  const other = random.pick(others);
  const foreign = bracketed(other, random);
  const replacements: Buffer[] = [
    Buffer.alloc(0),
    Buffer.concat([part, Buffer.from(','), part]),
    Buffer.concat([Buffer.from('['), part, Buffer.from(']')]),
    Buffer.from(random.pick(['{}', '[]', 'null', '""', '0', 'true'])),
  ];
  if (foreign !== null) replacements.push(other.subarray(...foreign));
  return Buffer.concat([input.subarray(0, start), random.pick(replacements), input.subarray(end)]);
};

const MUTATORS: readonly Mutator[] = [
  flipBit,
  setByte,
  insertByte,
  remove,
  repeat,
  cutOff,
  insertWord,
  insertWord,
  splice,
  insertPart,
  changeToken,
  changeToken,
  swapTokens,
  changeNumber,
  changeLines,
  changeLines,
  changeBracketed,
  changeBracketed,
];

function anyByte(random: Random): number {
  return random.once(2) ? (ODD_BYTES[random.int(ODD_BYTES.length)] ?? 0) : random.int(256);
}

/** A range of bytes, short more often than long. */
function range(length: number, random: Random): [start: number, end: number] {
  const start = random.int(length + 1);
  const longest = random.once(3) ? length : 8;
  return [start, Math.min(length, start + random.int(longest + 1))];
}

function insert(input: Buffer, at: number, bytes: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, at), bytes, input.subarray(at)]);
}

function tokensOf(input: Buffer): string[] {
  return input.toString('latin1').match(TOKEN) ?? [];
}

function linesOf(input: Buffer): string[] {
  return input.toString('latin1').split(/(?<=[\n\r])/);
}

function swap(list: string[], one: number, other: number): void {
  const kept = list[one] ?? '';
  list[one] = list[other] ?? '';
  list[other] = kept;
}

function swapCase(text: string): string {
  return text === text.toLowerCase() ? text.toUpperCase() : text.toLowerCase();
}

/** From an opening bracket to the one that closes it, or null. Brackets in strings count too. */
function bracketed(input: Buffer, random: Random): [start: number, end: number] | null {
  const text = input.toString('latin1');
  const openings = [...text.matchAll(/[[{(]/g)].map(({ index }) => index);
  if (openings.length === 0) return null;
  const start = random.pick(openings);
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    if ('[{('.includes(text.charAt(at))) depth += 1;
    else if (']})'.includes(text.charAt(at))) depth -= 1;
    if (depth === 0) return [start, at + 1];
  }
  return null;
}
