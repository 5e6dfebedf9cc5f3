/**
 * What fuzzing with small inputs can not show: readers that are fed without end hold no more than
 * their bounds, in pieces of a socket's size and in tiny ones.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createKeyScanner, wantKeys } from '../../src/core/json/scanner.ts';
import { createJsonTap } from '../../src/core/tap/json-tap.ts';
import { createSseTap } from '../../src/core/tap/sse-tap.ts';
import { LineSplitter } from '../../src/ledger/lines-reader.ts';

const FED_BYTES = 12 * 1024 * 1024;
const TINY_BYTES_FED = 256 * 1024;
const PIECE_BYTES = 64 * 1024;
/** Far above the bounds of all readers, far below what they are fed. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;
const LOOKS_MAX = 50;
const LOOK_MS = 10;
const STEADY_LOOKS = 3;
const STEADY_BYTES = 64 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Reader {
  push(bytes: Buffer): unknown;
}

const scanner = (): Reader => createKeyScanner(wantKeys('model', 'system'));
const ENDLESS: readonly (readonly [
  what: string,
  create: () => Reader,
  start: string,
  more: string,
])[] = [
  ['a line of an event stream', createSseTap, 'data: ', 'x'],
  ['a name of an event', createSseTap, 'event: ', 'message_start'],
  ['an event of many lines', createSseTap, '', 'data: "x"\n'],
  ['an event of empty lines', createSseTap, 'event: error\n', 'data\r'],
  ['events', createSseTap, '', 'event: error\ndata: {"error":{"type":"a","code":1}}\n\n'],
  ['events without a name', createSseTap, '', 'data: {"type":"message_delta","usage":{}}\n\n'],
  ['a string of an answer', createJsonTap, '{"model":"', 'x'],
  ['an object of an answer', createJsonTap, '{"usage":{', '"a":1,'],
  ['members of an answer', createJsonTap, '{', '"model":"a",'],
  ['a wanted string', scanner, '{"model":"', '\\"'],
  ['a key', scanner, '{"', '\\\\'],
  ['nested arrays', scanner, '{"a":', '['],
  ['a wanted array', scanner, '{"system":[', '{"text":"a"},'],
  ['white space', scanner, '', ' \n'],
  // Read from files, in pieces of no less than what is written at once.
  ['a line of the ledger', () => new LineSplitter(), '{"ts":1', 'x'.repeat(512)],
];

describe('a reader holds no more than its bounds, however much comes', () => {
  for (const [what, create, start, more] of ENDLESS) {
    test(`of ${what}`, async () => {
      assert((await heldAfter(create, start, more, PIECE_BYTES, FED_BYTES)) < HELD_BYTES_MAX);
      assert((await heldAfter(create, start, more, more.length, TINY_BYTES_FED)) < HELD_BYTES_MAX);
    });
  }
});

test('what holds everything is noticed', async () => {
  const held: Buffer[] = [];
  const hoarder: Reader = { push: (bytes) => held.push(Buffer.from(bytes)) };
  assert((await heldAfter(() => hoarder, '', 'x', PIECE_BYTES, FED_BYTES)) >= HELD_BYTES_MAX);
});

/** Bytes that a reader holds once it was fed so many. */
async function heldAfter(
  create: () => Reader,
  start: string,
  more: string,
  pieceBytes: number,
  fedBytes: number,
): Promise<number> {
  const reader = create();
  const piece = Buffer.from(more.repeat(Math.ceil(pieceBytes / more.length)));
  reader.push(Buffer.from(start));
  const before = await settledBytes();
  for (let fed = 0; fed < fedBytes; fed += piece.length) reader.push(piece);
  const held = (await settledBytes()) - before;
  // So that the reader lives until here.
  reader.push(Buffer.alloc(0));
  return held;
}

/** Bytes in use once they fall no more: those of buffers that are gone are given back a little later. */
async function settledBytes(): Promise<number> {
  let bytes = bytesInUse();
  let steady = 0;
  for (let look = 0; look < LOOKS_MAX && steady < STEADY_LOOKS; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = bytesInUse();
    steady = now < bytes - STEADY_BYTES ? 0 : steady + 1;
    bytes = Math.min(bytes, now);
  }
  return bytes;
}

function bytesInUse(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
