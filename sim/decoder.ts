/**
 * Stands for zlib, which works in threads: a decoder that the tap reads an encoded answer by. It hands
 * on what it is given, at its own pace, and at times fails, stalls, or blows up.
 */
import { Transform, type TransformCallback } from 'node:stream';
import type { World } from './world.ts';

const FAILURE = 0.05;
const STALL = 0.05;
const SWELL = 0.02;
/** What one piece becomes where it swells: more than a tap reads of an answer. */
const SWOLLEN_BYTES = 70 * 1024 * 1024;

class SimDecoder extends Transform {
  readonly #world: World;

  constructor(world: World) {
    super();
    this.#world = world;
  }

  override _transform(piece: Buffer, _encoding: string, done: TransformCallback): void {
    const { random } = this.#world;
    const roll = random.float();
    if (roll < STALL) return;
    const ms = random.chance(0.5) ? 0 : random.spread(1, 50);
    this.#world.after(ms, () => {
      if (this.destroyed) return;
      if (roll < STALL + FAILURE) done(new Error('incorrect data check'));
      else if (roll < STALL + FAILURE + SWELL) done(null, Buffer.alloc(SWOLLEN_BYTES));
      else done(null, piece);
    });
  }
}

export function createDecoder(world: World): Transform {
  return new SimDecoder(world);
}
