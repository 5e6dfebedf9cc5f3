/**
 * What the fuzzer runs: a target is code that reads bytes from outside, with an oracle that says
 * what it must make of them. An input is bytes and nothing else, so that a kept one is replayed by
 * its file alone; whatever else a case needs (where the bytes are split) is drawn from those bytes.
 */
import { createHash } from 'node:crypto';
import { createRandom, type Random } from '../../src/core/http1/testing/generate.ts';

export type { Random } from '../../src/core/http1/testing/generate.ts';
export { createRandom } from '../../src/core/http1/testing/generate.ts';

export interface Target {
  /** Names the folder of its corpus. */
  readonly name: string;
  /** What the answer is held against, in one line. */
  readonly oracle: string;
  /** Source files that coverage is counted in: paths from the root of the repository. */
  readonly covers: readonly string[];
  /** Where mutation begins, besides the kept corpus. */
  readonly seeds: readonly Buffer[];
  /** Texts that mean something to the code. */
  readonly dictionary: readonly string[];
  /** Longest input that is made, bytes. */
  readonly bytesMax: number;
  /**
   * Runs the code on an input.
   *
   * @param random choices that follow from the input
   * @throws whatever the code throws, and an AssertionError where the oracle disagrees
   */
  check(input: Buffer, random: Random): void | Promise<void>;
}

/** Runs one input, the way it is run everywhere: twice the same bytes are twice the same case. */
function runCase(target: Target, input: Buffer): void | Promise<void> {
  // A copy: code that keeps or writes what it was given shows, as the input is used again.
  return target.check(Buffer.from(input), createRandom(digestOf(input).readUInt32LE(0)));
}

/** The error that an input meets, or null. */
export async function failureOf(target: Target, input: Buffer): Promise<unknown> {
  try {
    await runCase(target, input);
    return null;
  } catch (error) {
    return error ?? new Error('thrown without a value');
  }
}

/** What an input is called. */
export function nameOf(input: Buffer): string {
  return digestOf(input).toString('hex', 0, 5);
}

/** Bytes in random pieces, each a copy in memory of its own. */
export function pieces(bytes: Buffer, random: Random, longest = 24): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.int(longest));
    list.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  return list;
}

/** Seeds out of texts. */
export function seedsOf(...texts: readonly string[]): Buffer[] {
  return texts.map((text) => Buffer.from(text));
}

function digestOf(input: Buffer): Buffer {
  return createHash('sha256').update(input).digest();
}
