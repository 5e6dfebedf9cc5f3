/**
 * Passes over what lies within a large piece of JSON and concerns nobody, by WebAssembly: the end of a string
 * is found 64 bytes at a time by its vector instructions, and what is nested is read by the grammar's own
 * table without a call for each token. JavaScript has no such instructions, and what an agent sends is made of
 * long strings full of escapes, at each of which a search from JavaScript stops: over a body of 200 KB it took
 * four times as long.
 *
 * Which quotes are escaped is computed for all 64 bytes at once and without a branch: a run of
 * backslashes escapes the byte behind it where its length is odd, and adding the starts of the runs to
 * the runs carries through each of them to the byte behind (Langdale and Lemire, "Parsing gigabytes of
 * JSON per second", section 3.1.1).
 */
import assert from 'node:assert/strict';
import { JSON_DEPTH_MAX } from '../limits.ts';
import { ACTION, ACTIONS, STATE, TABLE } from './grammar.ts';
import * as wasm from './wasm.ts';

const { BLOCK, BR, BR_IF, END, GET, IF, LOOP, NO_VALUE, RETURN, SELECT, SET, TEE } = wasm;
const { I32_ADD, I32_CONST, I32_EQ, I32_EQZ, I32_GE_U, I32_LOAD8_U, I32_LT_S, I32_LT_U } = wasm;
const { I32_OR, I32_SHL, I32_STORE, I32_STORE8, I32_SUB, I32_WRAP, CALL } = wasm;
const { I64_ADD, I64_AND, I64_CONST, I64_CTZ, I64_EQZ, I64_EXTEND_U, I64_LT_U, I64_OR } = wasm;
const { I64_SHL, I64_XOR, I8X16_BITMASK, I8X16_EQ, V128_CONST, V128_LOAD, leb, unsigned } = wasm;

/** Longest piece that can be loaded, bytes: what is read at once behind its end is still its page. */
export const PIECE_BYTES_MAX = 64 * 1024 - 64;

/* The second page: the grammar's table, the states of the open containers, and what `nested` has to say. */
const TABLE_AT = 64 * 1024;
const STACK_AT = TABLE_AT + TABLE.length;
const SAID_AT = STACK_AT + JSON_DEPTH_MAX;
const SAID_STATE = 0;
const SAID_DEPTH = 1;
const SAID_STRING = 2;
const SAID_BYTES = 12;
const PAGES = 2;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** The index of the first quote in `[from, to)` that is not escaped, or -1. */
  find(from: number, to: number): number;
  /** Reads what is nested; gives the index of where it stopped, and says the rest in memory. */
  nested(from: number, to: number, state: number, depth: number): number;
}

interface Loaded extends Omit<Exports, 'memory'> {
  readonly bytes: Uint8Array;
  readonly stack: Uint8Array;
  readonly said: Int32Array;
}

let loaded: Loaded | null = null;

/** Puts a piece in place for the functions below, until the next one. */
export function loadPiece(piece: Buffer): void {
  assert(piece.length <= PIECE_BYTES_MAX, 'the piece is too large');
  loaded ??= load();
  loaded.bytes.set(piece);
}

/**
 * The index of the first quote at or behind `from` in the piece that was loaded that no backslash
 * escapes, or -1.
 *
 * @param from an index that is not behind an unfinished escape
 * @param length of the piece
 */
export function quoteFrom(from: number, length: number): number {
  assert(loaded !== null, 'a piece is loaded first');
  return loaded.find(from, length);
}

/** Where reading what is nested stopped, and why. */
export interface Nested {
  /** The index of the bracket that closed it, of the quote of a string that does not end here, or the end. */
  at: number;
  /** Of the grammar; what failed is `FAILED`. */
  state: number;
  /** Of a string that does not end in this piece. */
  string: 'none' | 'key' | 'value';
}

/** What `skipNested` says, which is called too often to make an object each time. */
const said: Nested = { at: 0, state: STATE.FAILED, string: 'none' };

/**
 * Reads on from `from` in the piece that was loaded until only the outermost container is open, or the piece
 * ends. Of the top level nothing is read, and the closing bracket is left to the caller.
 *
 * @param length of the piece
 * @param state that the grammar is in
 * @param stack of each open container the state that follows a value in it, two at least; brought up to date
 * @returns valid until the next call
 */
export function skipNested(
  from: number,
  length: number,
  state: number,
  stack: number[],
): Readonly<Nested> {
  assert(loaded !== null && stack.length > 1, 'a piece is loaded first, and something is nested');
  for (let depth = 0; depth < stack.length; depth += 1)
    loaded.stack[depth] = stack[depth] as number;
  said.at = loaded.nested(from, length, state, stack.length);
  said.state = loaded.said[SAID_STATE] as number;
  stack.length = loaded.said[SAID_DEPTH] as number;
  for (let depth = 1; depth < stack.length; depth += 1)
    stack[depth] = loaded.stack[depth] as number;
  const string = loaded.said[SAID_STRING];
  if (string === ACTIONS.KEY) said.string = 'key';
  else said.string = string === ACTIONS.STRING ? 'value' : 'none';
  return said;
}

function load(): Loaded {
  const exports = wasm.instantiate({
    functions: [
      {
        name: 'find',
        parameters: 2,
        locals: [
          { count: 4, type: wasm.V128 },
          { count: 5, type: wasm.I64 },
        ],
        body: findBody(),
      },
      { name: 'nested', parameters: 4, locals: [{ count: 2, type: wasm.I32 }], body: nestedBody() },
    ],
    pages: PAGES,
  }) as Exports;
  const { memory, find, nested } = exports;
  new Uint8Array(memory.buffer).set(TABLE, TABLE_AT);
  return {
    find,
    nested,
    bytes: new Uint8Array(memory.buffer, 0, TABLE_AT),
    stack: new Uint8Array(memory.buffer, STACK_AT, JSON_DEPTH_MAX),
    said: new Int32Array(memory.buffer, SAID_AT, SAID_BYTES / Int32Array.BYTES_PER_ELEMENT),
  };
}

/* ---- find ---- */

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

function findBody(): number[] {
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

/* ---- nested ---- */

const FIND = 0;
const STATE_BITS = 8;

/* Parameters and locals, besides FROM and TO. */
const NOW = 2;
const DEPTH = 3;
const ENTRY = 4;
const CLOSING = 5;

const number = (value: number): number[] => [I32_CONST, ...leb(value)];
const byteAt = (offset: number): number[] => [I32_LOAD8_U, 0, ...unsigned(offset)];
/** Adds one to a local, or takes one away. */
const step = (local: number, by: 1 | -1): number[] => [
  ...[GET, local, ...number(1), by === 1 ? I32_ADD : I32_SUB, SET, local],
];
const entryIs = (action: number): number[] => [GET, ENTRY, ...number(action), I32_EQ];
/** The state of the innermost open container follows. */
const INTO_CONTAINER = [GET, DEPTH, ...byteAt(STACK_AT - 1), SET, NOW];
const say = (what: number, local: number): number[] => [
  ...[...number(SAID_AT + what * Int32Array.BYTES_PER_ELEMENT), GET, local, I32_STORE, 2, 0],
];

/** A string: to behind it, or to a stop at its quote. Labels: 0 the `if`, 1 the loop, 2 the stop. */
function aString(action: number, next: readonly number[]): number[] {
  return [
    ...[...entryIs(action), IF, NO_VALUE],
    ...[GET, FROM, ...number(1), I32_ADD, GET, TO, CALL, FIND, TEE, CLOSING],
    ...[...number(0), I32_LT_S, IF, NO_VALUE, ...say(SAID_STRING, ENTRY), BR, 3, END],
    ...[GET, CLOSING, ...number(1), I32_ADD, SET, FROM],
    ...[...next, BR, 1, END],
  ];
}

function opening(action: number, next: number, inside: number): number[] {
  return [
    ...[...entryIs(action), IF, NO_VALUE],
    ...[GET, DEPTH, ...number(next), I32_STORE8, 0, ...unsigned(STACK_AT)],
    ...[...step(DEPTH, 1), ...number(inside), SET, NOW, ...step(FROM, 1), BR, 1, END],
  ];
}

function nestedBody(): number[] {
  const tooDeep = [GET, DEPTH, ...number(JSON_DEPTH_MAX), I32_GE_U];
  return [
    ...number(SAID_AT + SAID_STRING * Int32Array.BYTES_PER_ELEMENT),
    ...[...number(0), I32_STORE, 2, 0],
    ...[BLOCK, NO_VALUE, LOOP, NO_VALUE],
    ...[GET, FROM, GET, TO, I32_GE_U, BR_IF, 1],
    ...[GET, NOW, ...number(STATE_BITS), I32_SHL, GET, FROM, ...byteAt(0), I32_OR],
    ...[...byteAt(TABLE_AT), TEE, ENTRY, ...number(ACTION), I32_LT_U, IF, NO_VALUE],
    ...[GET, ENTRY, TEE, NOW, I32_EQZ, BR_IF, 2, ...step(FROM, 1), BR, 1, END],
    ...aString(ACTIONS.STRING, INTO_CONTAINER),
    ...aString(ACTIONS.KEY, [...number(STATE.COLON), SET, NOW]),
    ...[...entryIs(ACTIONS.SCALAR_END), IF, NO_VALUE, ...INTO_CONTAINER, BR, 1, END],
    ...[...entryIs(ACTIONS.CLOSE), IF, NO_VALUE, ...step(DEPTH, -1), ...INTO_CONTAINER],
    ...[GET, DEPTH, ...number(1), I32_EQ, BR_IF, 2, ...step(FROM, 1), BR, 1, END],
    ...[...tooDeep, IF, NO_VALUE, ...number(STATE.FAILED), SET, NOW, BR, 2, END],
    ...opening(ACTIONS.OPEN_OBJECT, STATE.NEXT_IN_OBJECT, STATE.KEY_OR_END),
    ...opening(ACTIONS.OPEN_ARRAY, STATE.NEXT_IN_ARRAY, STATE.VALUE_OR_END),
    ...[END, END],
    ...[...say(SAID_STATE, NOW), ...say(SAID_DEPTH, DEPTH), GET, FROM, END],
  ];
}
