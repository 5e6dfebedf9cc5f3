/**
 * The grammar of JSON (RFC 8259) between strings, as one table: a state and a byte give the next
 * state, or an action. One lookup a byte makes the scanner strict at no cost; strings themselves are
 * skipped by native search and never come here.
 */

/**
 * States. Those up to `DONE` stand between tokens; those from `MINUS` on stand within a number or a
 * word. In a `WANTED` state the value that follows is one to capture.
 */
export const STATE = {
  FAILED: 0,
  START: 1,
  VALUE: 2,
  VALUE_WANTED: 3,
  VALUE_OR_END: 4,
  KEY: 5,
  KEY_OR_END: 6,
  COLON: 7,
  COLON_WANTED: 8,
  NEXT_IN_OBJECT: 9,
  NEXT_IN_ARRAY: 10,
  DONE: 11,
  MINUS: 12,
  ZERO: 13,
  INTEGER: 14,
  POINT: 15,
  FRACTION: 16,
  EXPONENT: 17,
  EXPONENT_SIGN: 18,
  EXPONENT_DIGITS: 19,
  /** A word was read to its last letter; only the end of the value may follow. */
  WORD_END: 20,
  /** The first of the states within `true`, `false` and `null`, one for each letter read. */
  WORD: 21,
} as const;

/** Actions: table entries at or above `ACTION`, which is above every state. */
export const ACTION = 64;
export const ACTIONS = {
  OPEN_OBJECT: ACTION,
  OPEN_ARRAY: ACTION + 1,
  CLOSE: ACTION + 2,
  STRING: ACTION + 3,
  KEY: ACTION + 4,
  /** A wanted value begins at this byte, which is then read again as any value. */
  CAPTURE: ACTION + 5,
  /** A number or word ended before this byte, which is then read again behind it. */
  SCALAR_END: ACTION + 6,
} as const;

const BYTES = 256;
const STATES = 32;
const SPACE = ' \t\n\r';
const DIGITS = '0123456789';
const WORDS = ['true', 'false', 'null'];

/** Entry `state * 256 + byte`: the next state, or an action. What is not listed fails. */
export const TABLE: Uint8Array = build();

function build(): Uint8Array {
  const table = new Uint8Array(STATES * BYTES);
  const on = (state: number, bytes: string, entry: number): void => {
    for (const byte of bytes) table[state * BYTES + byte.charCodeAt(0)] = entry;
  };
  const spaced = [STATE.START, STATE.VALUE, STATE.VALUE_WANTED, STATE.VALUE_OR_END, STATE.KEY];
  const spacedToo = [STATE.KEY_OR_END, STATE.COLON, STATE.COLON_WANTED, STATE.DONE];
  const next = [STATE.NEXT_IN_OBJECT, STATE.NEXT_IN_ARRAY];
  for (const state of [...spaced, ...spacedToo, ...next]) on(state, SPACE, state);

  on(STATE.START, '{', ACTIONS.OPEN_OBJECT);
  on(STATE.KEY_OR_END, '}', ACTIONS.CLOSE);
  on(STATE.KEY_OR_END, '"', ACTIONS.KEY);
  on(STATE.KEY, '"', ACTIONS.KEY);
  on(STATE.COLON, ':', STATE.VALUE);
  on(STATE.COLON_WANTED, ':', STATE.VALUE_WANTED);
  on(STATE.NEXT_IN_OBJECT, ',', STATE.KEY);
  on(STATE.NEXT_IN_OBJECT, '}', ACTIONS.CLOSE);
  on(STATE.NEXT_IN_ARRAY, ',', STATE.VALUE);
  on(STATE.NEXT_IN_ARRAY, ']', ACTIONS.CLOSE);
  on(STATE.VALUE_OR_END, ']', ACTIONS.CLOSE);
  on(STATE.VALUE_WANTED, `{["-tfn${DIGITS}`, ACTIONS.CAPTURE);

  for (const state of [STATE.VALUE, STATE.VALUE_OR_END]) {
    on(state, '{', ACTIONS.OPEN_OBJECT);
    on(state, '[', ACTIONS.OPEN_ARRAY);
    on(state, '"', ACTIONS.STRING);
    on(state, '-', STATE.MINUS);
    on(state, '0', STATE.ZERO);
    on(state, '123456789', STATE.INTEGER);
  }
  numbers(on);
  words(on);
  return table;
}

type On = (state: number, bytes: string, entry: number) => void;

/** RFC 8259 section 6. */
function numbers(on: On): void {
  on(STATE.MINUS, '0', STATE.ZERO);
  on(STATE.MINUS, '123456789', STATE.INTEGER);
  on(STATE.INTEGER, DIGITS, STATE.INTEGER);
  on(STATE.POINT, DIGITS, STATE.FRACTION);
  on(STATE.FRACTION, DIGITS, STATE.FRACTION);
  on(STATE.EXPONENT, '+-', STATE.EXPONENT_SIGN);
  on(STATE.EXPONENT, DIGITS, STATE.EXPONENT_DIGITS);
  on(STATE.EXPONENT_SIGN, DIGITS, STATE.EXPONENT_DIGITS);
  on(STATE.EXPONENT_DIGITS, DIGITS, STATE.EXPONENT_DIGITS);
  for (const state of [STATE.ZERO, STATE.INTEGER]) on(state, '.', STATE.POINT);
  for (const state of [STATE.ZERO, STATE.INTEGER, STATE.FRACTION]) on(state, 'eE', STATE.EXPONENT);
  const ends = [STATE.ZERO, STATE.INTEGER, STATE.FRACTION, STATE.EXPONENT_DIGITS, STATE.WORD_END];
  for (const state of ends) on(state, `${SPACE},]}`, ACTIONS.SCALAR_END);
}

function words(on: On): void {
  let free: number = STATE.WORD;
  for (const word of WORDS) {
    on(STATE.VALUE, word.charAt(0), free);
    on(STATE.VALUE_OR_END, word.charAt(0), free);
    for (let i = 1; i < word.length; i += 1) {
      on(free, word.charAt(i), i === word.length - 1 ? STATE.WORD_END : free + 1);
      free += 1;
    }
  }
}
