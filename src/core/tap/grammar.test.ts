import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EVENT, eventKind, StreamGrammar } from './grammar.ts';

const LETTERS: Readonly<Record<string, number>> = {
  '?': EVENT.OTHER,
  p: EVENT.PING,
  M: EVENT.MESSAGE_START,
  b: EVENT.BLOCK_START,
  d: EVENT.BLOCK_DELTA,
  e: EVENT.BLOCK_STOP,
  D: EVENT.MESSAGE_DELTA,
  S: EVENT.MESSAGE_STOP,
  E: EVENT.ERROR,
};

function problems(sequence: string): number {
  const grammar = new StreamGrammar();
  for (const letter of sequence) grammar.see(LETTERS[letter] ?? assert.fail(letter));
  return grammar.problems;
}

describe('the order of a message stream', () => {
  for (const sequence of [
    '',
    'MbdddeDS',
    'MDS',
    'pMpbpdpepDpSp',
    'MbebdeDDS',
    'E',
    'MbdE',
    'M?b?d',
  ]) {
    it(`allows ${sequence === '' ? 'nothing at all' : sequence}`, () => {
      assert.equal(problems(sequence), 0);
    });
  }

  const wrong: readonly (readonly [sequence: string, count: number])[] = [
    ['bdeDS', 1],
    ['deDS', 2],
    ['MM', 1],
    ['MbMdeDS', 3],
    ['MdDS', 1],
    ['MeDS', 1],
    ['MbbdeDS', 1],
    ['MbDS', 1],
    ['MS', 1],
    ['MDbdeS', 2],
    ['MDSS', 1],
    ['MDSd', 1],
    ['MDSMbdeDS', 6],
    ['ME?pS', 1],
  ];
  for (const [sequence, count] of wrong) {
    it(`counts ${count} in ${sequence}`, () => assert.equal(problems(sequence), count));
  }
});

describe('the name of an event', () => {
  it('is known by its exact spelling only', () => {
    const names = ['ping', 'message_start', 'content_block_start', 'content_block_delta'];
    const more = ['content_block_stop', 'message_delta', 'message_stop', 'error'];
    const kinds = [...names, ...more].map((name) => eventKind(`: ${name}x`, 2, 2 + name.length));
    assert.deepEqual(kinds, [2, 3, 4, 5, 6, 7, 8, 9]);
    for (const name of [...names, ...more]) {
      assert.equal(eventKind(name.toUpperCase(), 0, name.length), EVENT.OTHER);
      assert.equal(eventKind(`${name} `, 0, name.length + 1), EVENT.OTHER);
      assert.equal(eventKind(name, 0, name.length - 1), EVENT.OTHER);
      assert.equal(eventKind(`_${name.slice(1)}`, 0, name.length), EVENT.OTHER);
    }
    assert.equal(eventKind('', 0, 0), EVENT.UNNAMED);
  });
});
