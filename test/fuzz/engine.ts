/**
 * The fuzzer: begins with the seeds and the kept corpus, mutates, and keeps what reaches new code.
 * Everything follows from the seed of the run.
 *
 * Reading the counters costs as much as a hundred cases, so they are read once for a batch; only
 * where a batch reached something new are its inputs run once more, one by one, to find which did.
 */
import type { Coverage } from './coverage.ts';
import { minimise } from './minimise.ts';
import { type Material, mutate } from './mutate.ts';
import { createRandom, failureOf, nameOf, type Random, type Target } from './target.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Cases to run, at most. */
  readonly cases: number;
  /** Time to run, ms, at most; none if not given. */
  readonly ms?: number;
  /** The guide; without it nothing is kept, and every case is a mutation of what was given. */
  readonly coverage?: Coverage | null;
  readonly corpus?: readonly Buffer[];
  /** Told of every input before it is run. */
  readonly onCase?: (input: Buffer) => void;
}

/** An input at which a target failed. */
export interface Finding {
  readonly target: string;
  /** What failed, the same for every input that meets the same fault. */
  readonly label: string;
  readonly error: unknown;
  /** The smallest input found that fails the same way. */
  readonly input: Buffer;
}

export interface FuzzOutcome {
  readonly cases: number;
  /** Inputs that reached new code, in the order they were found. */
  readonly kept: readonly Buffer[];
  readonly finding: Finding | null;
  /** The longest that one case took, ms. */
  readonly slowestMs: number;
}

const BATCH = 24;

/** Fuzzes a target until its cases or its time are over, or until it fails. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzOutcome> {
  return new Run(target, options).run();
}

/** What a failure is called: the first line of its message, without what differs between inputs. */
export function labelOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: 'thrown', message: error };
  const [line = ''] = String(message).split('\n');
  return `${name}: ${line.replace(/\d+/g, 'N').slice(0, 120)}`;
}

class Run {
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #random: Random;
  readonly #coverage: Coverage | null;
  readonly #population: Buffer[] = [];
  readonly #kept: Buffer[] = [];
  readonly #dictionary: readonly Buffer[];
  readonly #endsAt: number;
  #cases = 0;
  #slowestMs = 0;

  constructor(target: Target, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#coverage = options.coverage ?? null;
    this.#dictionary = target.dictionary.map((text) => Buffer.from(text));
    this.#endsAt = performance.now() + (options.ms ?? Number.POSITIVE_INFINITY);
  }

  async run(): Promise<FuzzOutcome> {
    const given = [Buffer.alloc(0), ...this.#target.seeds, ...(this.#options.corpus ?? [])];
    let finding = await this.#runGiven(given);
    while (finding === null && this.#goesOn()) finding = await this.#runBatch();
    return {
      cases: this.#cases,
      kept: this.#kept,
      finding: finding === null ? null : await this.#minimised(finding),
      slowestMs: this.#slowestMs,
    };
  }

  #goesOn(): boolean {
    return this.#cases < this.#options.cases && performance.now() < this.#endsAt;
  }

  async #runGiven(given: readonly Buffer[]): Promise<Finding | null> {
    const names = new Set<string>();
    this.#coverage?.reset();
    for (const input of given) {
      const name = nameOf(input);
      if (names.has(name)) continue;
      names.add(name);
      const finding = await this.#runOne(input);
      if (finding !== null) return finding;
      if (this.#coverage?.takeIn() === true) this.#kept.push(input);
      this.#population.push(input);
    }
    return null;
  }

  async #runBatch(): Promise<Finding | null> {
    const batch: Buffer[] = [];
    for (let i = 0; i < BATCH && this.#goesOn(); i += 1) {
      const input = this.#next();
      const finding = await this.#runOne(input);
      if (finding !== null) return finding;
      batch.push(input);
    }
    if (this.#coverage?.isNew() !== true) return null;
    for (const input of batch) {
      this.#coverage.reset();
      await failureOf(this.#target, input);
      if (!this.#coverage.takeIn()) continue;
      this.#population.push(input);
      this.#kept.push(input);
    }
    return null;
  }

  /** A mutation of something in the population, of what was found last more often. */
  #next(): Buffer {
    const population = this.#population;
    const random = this.#random;
    const recent = Math.min(population.length, 16);
    const at = random.once(3)
      ? population.length - 1 - random.int(recent)
      : random.int(population.length);
    const material: Material = {
      dictionary: this.#dictionary,
      others: population,
      bytesMax: this.#target.bytesMax,
    };
    return mutate(population[at] ?? Buffer.alloc(0), material, random);
  }

  async #runOne(input: Buffer): Promise<Finding | null> {
    this.#cases += 1;
    this.#options.onCase?.(input);
    const startedAt = performance.now();
    const error = await failureOf(this.#target, input);
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAt);
    return error === null
      ? null
      : { target: this.#target.name, label: labelOf(error), error, input };
  }

  async #minimised(finding: Finding): Promise<Finding> {
    let { error } = finding;
    const input = await minimise(finding.input, async (candidate) => {
      this.#options.onCase?.(candidate);
      const found = await failureOf(this.#target, candidate);
      if (found === null || labelOf(found) !== finding.label) return false;
      error = found;
      return true;
    });
    return { ...finding, error, input };
  }
}
