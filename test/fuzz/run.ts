/**
 * `make fuzz`: all targets, one after another, guided by coverage.
 *
 *     node test/fuzz/run.ts [--target NAME]... [--cases N] [--seconds S] [--seed N] [--keep]
 *         [--hang-ms N]
 *     node test/fuzz/run.ts --replay FILE
 *
 * Each target runs for its cases or its seconds, whichever are over first. A finding is made as small
 * as it gets and written into the corpus; the command that replays it is printed, and the exit code
 * is 1. With `--keep` the corpus of a target is made anew from what reached new code. Targets and
 * corpus are those of this folder, unless `--module FILE` and `--corpus FOLDER` name others.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { CORPUS, FOUND, forget, keep, readKept, targetOf } from './corpus.ts';
import { CoverageSource } from './coverage.ts';
import { distil } from './distil.ts';
import { type Finding, fuzz } from './engine.ts';
import { failureOf, type Target } from './target.ts';
import { createWatchdog } from './watchdog.ts';

const CASES_DEFAULT = 200_000;
const SECONDS_DEFAULT = 30;
/** Far beyond what any case takes, on a busy machine too. */
const HANG_MS_DEFAULT = 60_000;
const MS_PER_SECOND = 1000;

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    cases: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    'hang-ms': { type: 'string' },
    keep: { type: 'boolean', default: false },
    replay: { type: 'string' },
    module: { type: 'string', default: path.join(import.meta.dirname, 'targets', 'index.ts') },
    corpus: { type: 'string', default: CORPUS },
  },
});

// Before the targets, and what they test, are loaded.
const source = new CoverageSource();
const { TARGETS } = (await import(pathToFileURL(path.resolve(values.module)).href)) as {
  readonly TARGETS: readonly Target[];
};
const { corpus } = values;

process.exitCode = values.replay === undefined ? await runAll() : await replay(values.replay);

async function runAll(): Promise<number> {
  const named = values.target ?? TARGETS.map(({ name }) => name);
  let findings = 0;
  for (const name of named) if (!(await runTarget(targetNamed(name)))) findings += 1;
  return findings === 0 ? 0 : 1;
}

async function replay(file: string): Promise<number> {
  const error = await failureOf(targetNamed(targetOf(file)), readFileSync(file));
  console.log(error === null ? 'holds' : error);
  return error === null ? 0 : 1;
}

/** True where nothing was found. */
async function runTarget(target: Target): Promise<boolean> {
  const coverage = source.of(target.covers);
  const watchdog = createWatchdog(corpus, target, numberOf(values['hang-ms'], HANG_MS_DEFAULT));
  const startedAt = performance.now();
  const outcome = await fuzz(target, {
    seed: numberOf(values.seed, 1),
    cases: numberOf(values.cases, CASES_DEFAULT),
    ms: numberOf(values.seconds, SECONDS_DEFAULT) * MS_PER_SECOND,
    coverage,
    corpus: readKept(corpus, target.name).map(({ bytes }) => bytes),
    onCase: watchdog.see,
  });
  const { cases, kept, slowestMs, finding } = outcome;
  const seconds = (performance.now() - startedAt) / MS_PER_SECOND;
  const share = (100 * coverage.reached) / Math.max(1, coverage.known);
  console.log(
    `${target.name}: ${cases} cases in ${seconds.toFixed(1)} s, ${kept.length} inputs kept, ` +
      `${share.toFixed(1)} % of ${coverage.known} characters of code reached, ` +
      `slowest case ${slowestMs.toFixed(0)} ms, ${finding === null ? 'no finding' : '1 finding'}`,
  );
  if (finding !== null) report(finding);
  else if (values.keep) await keepAnew(target, kept, watchdog.see);
  await watchdog.end();
  return finding === null;
}

function report({ target, label, error, input }: Finding): void {
  const file = keep(corpus, target, input, FOUND);
  console.log(`  ${label}\n  ${JSON.stringify(input.toString('latin1')).slice(0, 400)}`);
  console.log(`  replay it: node test/fuzz/run.ts --replay ${file}`);
  if (error instanceof Error) console.log(error.stack?.replace(/^/gm, '    ').slice(0, 2000));
}

async function keepAnew(
  target: Target,
  kept: readonly Buffer[],
  onCase: (input: Buffer) => void,
): Promise<void> {
  const small = await distil(target, kept, source.of(target.covers), onCase);
  forget(corpus, target.name);
  for (const input of small) keep(corpus, target.name, input);
  console.log(`  the corpus has ${small.length} inputs now`);
}

function targetNamed(name: string): Target {
  const target = TARGETS.find((each) => each.name === name);
  if (target !== undefined) return target;
  throw new Error(`no target ${name}; there are ${TARGETS.map((each) => each.name).join(', ')}`);
}

function numberOf(text: string | undefined, otherwise: number): number {
  const number = Number(text ?? otherwise);
  if (!Number.isInteger(number) || number < 0) throw new Error(`${text} is not a whole number`);
  return number;
}
