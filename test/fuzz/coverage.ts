/**
 * Which code an input reached, by V8's own block coverage: the guide of the fuzzer. It must be begun
 * before the code is loaded, since what is compiled earlier has no counters.
 */
import { type Profiler, Session } from 'node:inspector';

/** Coverage of a few source files, collected over a run. */
export interface Coverage {
  /** Forgets what ran since the last call. */
  reset(): void;
  /** True if something ran since the last call that no input taken in had reached. */
  isNew(): boolean;
  /** How many characters that is; nothing is taken in. */
  gain(): number;
  /** The same, and what ran is taken in as known. */
  takeIn(): boolean;
  /** Characters of the functions that were entered, and how many of them were reached. */
  readonly reached: number;
  readonly known: number;
}

/** Of each function, by place: 1 for a character that an input reached. */
type Known = Map<string, Uint8Array>;

/** V8's counters, switched on once for the process. */
export class CoverageSource {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
    this.#call('Profiler.enable');
    this.#call('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Coverage of the files whose URL ends in one of these paths. */
  of(paths: readonly string[]): Coverage {
    const known: Known = new Map();
    const take = (merge: boolean): number => {
      let fresh = 0;
      for (const script of this.#take()) {
        if (!paths.some((path) => script.url.endsWith(`/${path}`))) continue;
        for (const entered of script.functions) fresh += newIn(known, script.url, entered, merge);
      }
      return fresh;
    };
    return {
      reset: () => {
        this.#take();
      },
      isNew: () => take(false) > 0,
      gain: () => take(false),
      takeIn: () => take(true) > 0,
      get reached() {
        let sum = 0;
        for (const characters of known.values()) for (const one of characters) sum += one;
        return sum;
      },
      get known() {
        let sum = 0;
        for (const characters of known.values()) sum += characters.length;
        return sum;
      },
    };
  }

  #take(): Profiler.ScriptCoverage[] {
    const taken = this.#call('Profiler.takePreciseCoverage');
    return (taken as Profiler.TakePreciseCoverageReturnType).result;
  }

  /** The inspector of the own process answers at once. */
  #call(method: string, params: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, params, (error: Error | null, result?: unknown) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}

/** How many characters of a function ran that were not known before. */
function newIn(
  known: Known,
  url: string,
  { ranges }: Profiler.FunctionCoverage,
  merge: boolean,
): number {
  const [whole] = ranges;
  // The module itself runs once, when it is loaded.
  if (whole === undefined || whole.startOffset === 0 || whole.count === 0) return 0;
  const from = whole.startOffset;
  const reached = new Uint8Array(whole.endOffset - from);
  // Outer ranges come first, so that inner ones are painted over them.
  for (const { startOffset, endOffset, count } of ranges) {
    reached.fill(count > 0 ? 1 : 0, startOffset - from, endOffset - from);
  }
  const place = `${url}:${from}`;
  const before = known.get(place) ?? new Uint8Array(reached.length);
  let fresh = 0;
  for (const [at, one] of reached.entries()) {
    if (one === 0 || before[at] === 1) continue;
    fresh += 1;
    if (merge) before[at] = 1;
  }
  if (merge) known.set(place, before);
  return fresh;
}
