/**
 * Finds the end of a string in a large piece of JSON, 64 bytes at a time, by the vector instructions
 * of WebAssembly. JavaScript has none, and what an agent sends is made of long strings full of escapes,
 * at each of which a search from JavaScript stops: over a body of 200 KB it took four times as long.
 *
 * Which quotes are escaped is computed for all 64 bytes at once and without a branch: a run of
 * backslashes escapes the byte behind it where its length is odd, and adding the starts of the runs to
 * the runs carries through each of them to the byte behind (Langdale and Lemire, "Parsing gigabytes of
 * JSON per second", section 3.1.1).
 */
import assert from 'node:assert/strict';

/** Longest piece that can be loaded, bytes. */
export const QUOTE_SEARCH_BYTES_MAX = 64 * 1024 - 64;

/** What is used of WebAssembly, which the types of Node leave to those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** The index of the first quote in `[from, to)` that is not escaped, or -1. */
  find(from: number, to: number): number;
}

let instance: { readonly bytes: Uint8Array; readonly find: Exports['find'] } | null = null;

/** Puts a piece in place for `quoteFrom`, until the next one. */
export function loadForQuotes(piece: Buffer): void {
  assert(piece.length <= QUOTE_SEARCH_BYTES_MAX, 'the piece is too large');
  instance ??= instantiate();
  instance.bytes.set(piece);
}

/**
 * The index of the first quote at or behind `from` in the piece that was loaded that no backslash
 * escapes, or -1.
 *
 * @param from an index that is not behind an unfinished escape
 * @param length of the piece
 */
export function quoteFrom(from: number, length: number): number {
  assert(instance !== null, 'a piece is loaded first');
  return instance.find(from, length);
}

function instantiate(): NonNullable<typeof instance> {
  const module = new WebAssembly.Module(assemble());
  const { memory, find } = new WebAssembly.Instance(module).exports as Exports;
  return { bytes: new Uint8Array(memory.buffer), find };
}

/* ---- the module, by the binary format of WebAssembly 2.0 ---- */

const I32 = 0x7f;
const I64 = 0x7e;
const V128 = 0x7b;
const NO_VALUE = 0x40;

const BLOCK = 0x02;
const LOOP = 0x03;
const END = 0x0b;
const BR = 0x0c;
const BR_IF = 0x0d;
const RETURN = 0x0f;
const SELECT = 0x1b;
const GET = 0x20;
const SET = 0x21;
const TEE = 0x22;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const I32_LT_U = 0x49;
const I32_GE_U = 0x4f;
const I64_EQZ = 0x50;
const I64_LT_U = 0x54;
const I32_ADD = 0x6a;
const I64_CTZ = 0x7a;
const I64_ADD = 0x7c;
const I64_AND = 0x83;
const I64_OR = 0x84;
const I64_XOR = 0x85;
const I64_SHL = 0x86;
const I32_WRAP = 0xa7;
const I64_EXTEND_U = 0xad;
const V128_LOAD = [0xfd, 0x00];
const V128_CONST = [0xfd, 0x0c];
const I8X16_EQ = [0xfd, 0x23];
const I8X16_BITMASK = [0xfd, 0xe4, 0x00];

const LANES = 16;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const EVEN_BITS = 0x5555_5555_5555_5555n;

/* Parameters and locals. */
const FROM = 0;
const TO = 1;
const PIECES = [2, 3, 4, 5] as const;
const QUOTES = 6;
const SLASHES = 7;
const CARRY = 8;
const FOLLOWING = 9;
const STARTS = 10;

/** A signed number in LEB128. */
function leb(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const isLast = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)];
}

/** Leaves 64 bits on the stack: which of the 64 bytes loaded are that one. */
function maskOf(byte: number): number[] {
  return PIECES.flatMap((piece, index) => [
    ...[GET, piece],
    ...[...V128_CONST, ...new Array<number>(LANES).fill(byte)],
    ...[...I8X16_EQ, ...I8X16_BITMASK, I64_EXTEND_U],
    ...(index === 0 ? [] : [I64_CONST, ...leb(index * LANES), I64_SHL, I64_OR]),
  ]);
}

/** Takes the quotes away that are escaped, and keeps whether the next 64 bytes begin with such a byte. */
function dropEscaped(): number[] {
  const even = [I64_CONST, ...leb(EVEN_BITS)];
  const not = [I64_CONST, ...leb(-1), I64_XOR];
  return [
    // A backslash that is itself escaped begins no run.
    ...[GET, SLASHES, GET, CARRY, ...not, I64_AND, SET, SLASHES],
    ...[GET, SLASHES, I64_CONST, 1, I64_SHL, GET, CARRY, I64_OR, SET, FOLLOWING],
    ...[GET, SLASHES, ...even, ...not, I64_AND, GET, FOLLOWING, ...not, I64_AND],
    ...[GET, SLASHES, I64_ADD, TEE, STARTS],
    ...[GET, SLASHES, I64_LT_U, I64_EXTEND_U, SET, CARRY],
    ...[GET, STARTS, I64_CONST, 1, I64_SHL, ...even, I64_XOR, GET, FOLLOWING, I64_AND],
    ...[...not, GET, QUOTES, I64_AND, SET, QUOTES],
  ];
}

function body(): number[] {
  const load = PIECES.flatMap((piece, index) => [
    ...[GET, FROM, ...V128_LOAD, 0, ...unsigned(index * LANES), SET, piece],
  ]);
  const found = [GET, FROM, GET, QUOTES, I64_CTZ, I32_WRAP, I32_ADD, TEE, FROM];
  return [
    ...[BLOCK, NO_VALUE, LOOP, NO_VALUE],
    ...[GET, FROM, GET, TO, I32_GE_U, BR_IF, 1],
    ...load,
    ...[...maskOf(QUOTE), SET, QUOTES, ...maskOf(BACKSLASH), SET, SLASHES],
    ...[BLOCK, NO_VALUE, GET, SLASHES, GET, CARRY, I64_OR, I64_EQZ, BR_IF, 0],
    ...[...dropEscaped(), END],
    ...[BLOCK, NO_VALUE, GET, QUOTES, I64_EQZ, BR_IF, 0],
    // What lies behind the piece is no part of it.
    ...[...found, I32_CONST, ...leb(-1), GET, FROM, GET, TO, I32_LT_U, SELECT, RETURN, END],
    ...[GET, FROM, I32_CONST, ...leb(LANES * PIECES.length), I32_ADD, SET, FROM, BR, 0],
    ...[END, END, I32_CONST, ...leb(-1), END],
  ];
}

function assemble(): Uint8Array<ArrayBuffer> {
  const locals = [2, 4, V128, 5, I64];
  const code = [...locals, ...body()];
  return Uint8Array.from([
    ...Buffer.from('\0asm'),
    ...[1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('find'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}
