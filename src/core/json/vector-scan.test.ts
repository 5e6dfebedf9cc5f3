/**
 * What WebAssembly reads of a large piece is what the scanner reads token by token of a small one, whether the
 * text is whole, cut anywhere or broken.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { JSON_DEPTH_MAX } from '../limits.ts';
import { createKeyScanner, type JsonValue, type KeyScan, wantKeys } from './scanner.ts';
import { anyNode, choices, chooser, mutated, objectWith, spell } from './testing/texts.ts';

const KEYS = wantKeys('model', 'stream');
/** Below the size from which on vectors are used. */
const SMALL_BYTES = 200;

type Told = readonly [key: string, start: number, end: number, value: JsonValue];

/** Reads it in pieces that end at the given places. */
function read(bytes: Buffer, ends: Iterable<number>): { scan: KeyScan; told: Told[] } {
  const told: Told[] = [];
  const scanner = createKeyScanner(KEYS, {
    onValue: (...value) => told.push(value),
  });
  let at = 0;
  for (const end of [...ends, bytes.length]) {
    // A copy, so that what lies behind a piece is no part of its text.
    scanner.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return { scan: scanner.finish(), told };
}

function smallEnds(length: number): number[] {
  return Array.from({ length: Math.floor(length / SMALL_BYTES) }, (_, i) => (i + 1) * SMALL_BYTES);
}

function assertSame(bytes: Buffer, ends: readonly number[]): void {
  const expected = read(bytes, smallEnds(bytes.length));
  assert.deepEqual(read(bytes, ends), expected);
}

describe('a large piece is read as small ones are', () => {
  const nested = fc.array(fc.tuple(fc.constantFrom('model', 'x', 'messages'), anyNode), {
    minLength: 6,
    maxLength: 24,
  });
  const text = fc.tuple(nested, objectWith('model', 'stream'), choices).map(([deep, top, way]) => {
    const inner = { t: 'object' as const, members: deep };
    const list = { t: 'array' as const, entries: [inner, inner] };
    const outer = top.t === 'object' ? top.members : [];
    const members = [...outer, ['messages', list] as const, ...outer, ['model', inner] as const];
    return Buffer.from(spell({ t: 'object', members }, chooser(way)));
  });
  const cuts = fc.array(fc.nat(), { maxLength: 3 });
  const endsIn = (bytes: Buffer, places: readonly number[]): number[] =>
    places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);

  it('where it is well-formed, wherever it is cut', () => {
    fc.assert(
      fc.property(text, cuts, (bytes, places) => assertSame(bytes, endsIn(bytes, places))),
      { numRuns: 1000 },
    );
  });

  it('where a byte of it is another, one is missing, or it ends too early', () => {
    const change = fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(text, cuts, change, (bytes, places, [way, at, byte]) => {
        const broken = mutated(bytes, way, at, byte);
        assertSame(broken, endsIn(broken, places));
      }),
      { numRuns: 2000 },
    );
  });

  it('cut at every place', () => {
    const text =
      `{"a":[{"model":"x","t":"${'\\\\\\"y'.repeat(90)}"},[[1.5e3,true,null]],"",{}],"model":"m",` +
      `"b":{"c":{"d":"${'z'.repeat(600)}\\\\"},"e":[-0,{"\\"":0}]},"stream":true}`;
    const bytes = Buffer.from(text);
    assert.equal(read(bytes, []).scan.complete, true);
    for (let at = 0; at <= bytes.length; at += 1) assertSame(bytes, [at]);
  });

  it('as deep as is followed, and no deeper', () => {
    const filler = ' '.repeat(1_000);
    for (const [depth, complete] of [
      [JSON_DEPTH_MAX, true],
      [JSON_DEPTH_MAX + 1, false],
    ] as const) {
      // The object is one level, the arrays are the others.
      const inside = depth - 1;
      const text = `{"a":${filler}${'['.repeat(inside)}${filler}${']'.repeat(inside)},"model":"m"}`;
      const bytes = Buffer.from(text);
      for (const ends of [[], [1_005 + 600]]) {
        assert.equal(read(bytes, ends).scan.complete, complete, `${depth} levels`);
      }
      assertSame(bytes, []);
    }
  });

  it('after another scanner was read in between', () => {
    const bytes = Buffer.from(`{"a":[{"b":[{"c":"${'x'.repeat(700)}"},[["y"]]]}],"model":"m"}`);
    const other = Buffer.from(`{"q":{"r":{"s":{"t":["${'\\"'.repeat(400)}`);
    const first = createKeyScanner(KEYS);
    const second = createKeyScanner(KEYS);
    first.push(bytes.subarray(0, 600));
    second.push(other);
    first.push(Buffer.concat([bytes.subarray(600), Buffer.from(' '.repeat(600))]));
    assert.deepEqual(first.finish(), {
      complete: true,
      values: new Map([['model', { kind: 'string', value: 'm' }]]),
    });
  });
});
