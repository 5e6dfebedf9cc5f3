/** Cells of the JSON scanner, the cutter and the taps, each next to `JSON.parse` or a plain search. */
import { applyEdits } from '../../src/core/json/cutter.ts';
import { createKeyScanner, wantKeys } from '../../src/core/json/scanner.ts';
import { editsOf } from '../../src/core/json/testing/places.ts';
import { createJsonTap } from '../../src/core/tap/json-tap.ts';
import { createSseTap } from '../../src/core/tap/sse-tap.ts';
import type { Cell } from './cell.ts';
import { bodyOf, inPieces, streamEvents } from './material.ts';

const KIB = 1024;
const READ_BYTES = 64 * KIB;
const MODEL = wantKeys('model');
const PLAN = { model: 'glm-4.5-air', dropUserId: true, dropAttribution: true };
const ANSWER = Buffer.from(
  `{"id":"msg_0","type":"message","role":"assistant","model":"claude-haiku-5-5","content":[{"type":"text","text":"${'a word '.repeat(300)}"}],"stop_reason":"end_turn","usage":{"input_tokens":2095,"output_tokens":412}}`,
);

export function bodyCells(): Cell[] {
  return [...scanning(), ...cutting(), ...tapping()];
}

function scanning(): Cell[] {
  const bodies = [
    ['2 KiB, model first', bodyOf(2 * KIB, 'first')],
    ['200 KiB, model first', bodyOf(200 * KIB, 'first')],
    ['1 MiB, model last', bodyOf(KIB * KIB, 'last')],
  ] as const;
  return bodies.flatMap(([size, body]): Cell[] => {
    const pieces = inPieces(body, READ_BYTES);
    const floor = `scan: ${size}: one pass of indexOf`;
    return [
      of(`scan: ${size}`, body, floor, () => {
        const scanner = createKeyScanner(MODEL);
        for (const piece of pieces) scanner.push(piece);
        return scanner.finish().values;
      }),
      of(`scan: ${size}: JSON.parse`, body, floor, () => JSON.parse(body.toString('utf8'))),
      // A byte that is not there: one pass over all of them, in the engine's own code.
      of(floor, body, null, () => body.indexOf(0)),
    ];
  });
}

function cutting(): Cell[] {
  return [2, 200].flatMap((size): Cell[] => {
    const body = bodyOf(size * KIB, 'first');
    const floor = `cut: ${size} KiB: JSON.parse and back`;
    return [
      of(`cut: ${size} KiB`, body, floor, () => applyEdits([body], editsOf([body], PLAN) ?? [])),
      of(floor, body, null, () => {
        const value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
        return Buffer.from(JSON.stringify({ ...value, model: PLAN.model }));
      }),
    ];
  });
}

function tapping(): Cell[] {
  const events = streamEvents();
  const stream = Buffer.concat(events);
  const floor = 'tap: stream: every line end searched';
  const chunkings = [
    ['one event a piece', events],
    ['one piece', [stream]],
    ['pieces of 1448 bytes', inPieces(stream, 1448)],
    ['pieces of 16 bytes', inPieces(stream, 16)],
  ] as const;
  const taps = chunkings.map(([how, pieces]) =>
    of(`tap: stream of 107 events, ${how}`, stream, floor, () => {
      const tap = createSseTap();
      for (const piece of pieces) tap.push(piece);
      return tap.finish();
    }),
  );
  return [
    ...taps,
    of(floor, stream, null, () => {
      let lines = 0;
      for (let at = stream.indexOf(10); at >= 0; at = stream.indexOf(10, at + 1)) lines += 1;
      return lines;
    }),
    of('tap: answer of 2 KiB', ANSWER, 'tap: answer: JSON.parse', () => {
      const tap = createJsonTap();
      tap.push(ANSWER);
      return tap.finish();
    }),
    of('tap: answer: JSON.parse', ANSWER, null, () => JSON.parse(ANSWER.toString('utf8'))),
  ];
}

function of(name: string, bytes: Buffer, floor: string | null, run: () => unknown): Cell {
  return { name, bytes: bytes.length, floor, run };
}
