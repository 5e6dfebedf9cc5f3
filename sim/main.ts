/**
 * Runs seeds of the simulator: `node sim/main.ts --seeds N --first S [--sweep] [--verbose]`.
 *
 * With `--sweep` one exchange of each seed is broken off at every byte, by every way (`sweep.ts`).
 *
 * Exit status 1 where an invariant did not hold, 2 for wrong usage. SIGINT ends it with what it has.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { addToBatch, type Batch, emptyBatch, judgeSeed, summaryOf } from './batch.ts';
import { type SeedResult, simulateSeed } from './simulate.ts';
import { alone, type Swept, sweepSeed } from './sweep.ts';

const SEEDS = 1_000;
/** Violations shown; a program that is broken everywhere has one in every seed. */
const SHOWN_MAX = 5;
const TRACE_LINES = 40;
const PROGRESS_MS = 10_000;
const ALL = Number.MAX_SAFE_INTEGER;

const USAGE = 'usage: node sim/main.ts [--seeds N] [--first S] [--sweep] [--verbose]';

interface Arguments {
  readonly seeds: number;
  readonly first: number;
  readonly isSweep: boolean;
  readonly isVerbose: boolean;
}

function readArguments(): Arguments | null {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string', default: String(SEEDS) },
        first: { type: 'string', default: '1' },
        sweep: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
      },
    });
    const seeds = Number(values.seeds);
    const first = Number(values.first);
    const isRight = Number.isSafeInteger(seeds) && seeds > 0 && Number.isSafeInteger(first);
    const { sweep: isSweep, verbose: isVerbose } = values;
    return isRight && first >= 0 ? { seeds, first, isSweep, isVerbose } : null;
  } catch {
    return null;
  }
}

/** What went wrong in a run, how it came to it, and how to see it again. */
function show({ forced, result }: Run, lines: number): void {
  const { violation, seed } = result;
  if (violation === null) return;
  const { trace } =
    forced === null ? simulateSeed(seed, { isTracing: true }) : alone(seed, forced, true);
  console.log(`\nseed ${seed}: invariant ${violation.invariant}`);
  if (forced !== null) console.log(`  with ${JSON.stringify(forced)}`);
  console.log(`  at step ${violation.step}, ${violation.at.toFixed(3)} ms: ${violation.what}`);
  for (const line of aboutIt(trace, violation.what).slice(-lines)) console.log(`  ${line}`);
  const sweep = forced === null ? '' : 'SWEEP=1 ';
  console.log(`replay: make simulate ${sweep}SEEDS=1 FIRST=${seed}\n`);
}

/** Of a trace, what is about the request that a violation names, and about the proxy as a whole. */
function aboutIt(trace: readonly string[], what: string): readonly string[] {
  const id = /request (\d+)/.exec(what)?.[1];
  if (id === undefined) return trace;
  const named = new RegExp(`\\b(request|of) ${id}\\b|  switch: `);
  return trace.filter((line) => named.test(line));
}

function tell({ seen }: Batch): void {
  for (const [what, count] of [...seen].sort())
    console.log(`${String(count).padStart(10)}  ${what}`);
}

/** A run, with the fault that was forced on it where it is one of a sweep. */
interface Run {
  readonly forced: Swept['forced'] | null;
  readonly result: SeedResult;
}

function* runsOf(seed: number, { isSweep }: Arguments): Generator<Run> {
  if (isSweep) yield* sweepSeed(seed);
  else yield { forced: null, result: judgeSeed(seed) };
}

/** Runs the seeds until all are done, or somebody has enough of it. */
async function runAll(given: Arguments): Promise<Batch> {
  const { seeds, first, isVerbose } = given;
  const batch = emptyBatch();
  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
  });
  let toldAt = Date.now();
  for (let seed = first; seed < first + seeds && !isInterrupted; seed += 1) {
    for (const run of runsOf(seed, given)) {
      addToBatch(batch, run.result);
      if (batch.violations.length <= SHOWN_MAX) show(run, seeds === 1 ? ALL : TRACE_LINES);
    }
    if (isVerbose && Date.now() - toldAt > PROGRESS_MS) {
      console.log(summaryOf(batch));
      toldAt = Date.now();
    }
    await turn();
  }
  return batch;
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given === null) {
    console.error(USAGE);
    return 2;
  }
  if (given.isVerbose && given.seeds === 1 && !given.isSweep) {
    for (const line of simulateSeed(given.first, { isTracing: true }).trace) console.log(line);
  }
  const batch = await runAll(given);
  if (given.isVerbose) tell(batch);
  const failed = batch.violations.map(({ seed }) => seed);
  if (failed.length > 0) console.log(`seeds with violations: ${failed.slice(0, 50).join(' ')}`);
  console.log(summaryOf(batch));
  return failed.length > 0 ? 1 : 0;
}

process.exitCode = await main();
