/**
 * Micro-benchmarks of what every request goes through, each with its noise band and next to a floor:
 *
 *     node bench/micro.ts [--cell TEXT] [--json] [--compare FILE]
 *                         [--processes N] [--blocks N] [--block-ms N] [--warmup-ms N]
 *
 * Several processes measure, one after another, since the compiler decides anew in each. `--json`
 * prints the run; `--compare` says of each cell whether it is faster or slower than in such a file.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { bodyCells } from './micro/bodies.ts';
import { codecCells } from './micro/codec.ts';
import { type MeasureOptions, measure, type Samples } from './micro/measure.ts';
import { compare, comparisonTable, type Run, resultsOf, tableOf } from './micro/report.ts';
import { ruleCells } from './micro/rules.ts';

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    cell: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    compare: { type: 'string' },
    processes: { type: 'string', default: '3' },
    blocks: { type: 'string', default: '15' },
    'block-ms': { type: 'string', default: '10' },
    'warmup-ms': { type: 'string', default: '200' },
    /** Measures in this process and prints the samples: what the others are asked for. */
    samples: { type: 'boolean', default: false },
  },
});

if (values.samples) {
  console.log(JSON.stringify(samplesHere()));
} else {
  const processes = Array.from({ length: numberOf(values.processes) }, samplesOfProcess);
  const run: Run = {
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    processes: processes.length,
    results: resultsOf(processes),
  };
  if (values.json) console.log(JSON.stringify(run, null, 2));
  else console.log(`Node ${run.node}, ${run.cpu}, ${run.processes} processes\n\n${tableOf(run)}`);
  if (values.compare !== undefined) {
    const before = JSON.parse(readFileSync(values.compare, 'utf8')) as Run;
    console.error(`\nagainst ${values.compare}:\n\n${comparisonTable(compare(before, run))}`);
  }
}

function samplesHere(): Samples[] {
  const options: MeasureOptions = {
    blocks: numberOf(values.blocks),
    blockMs: numberOf(values['block-ms']),
    warmupMs: numberOf(values['warmup-ms']),
  };
  const all = [...codecCells(), ...bodyCells(), ...ruleCells()];
  return measure(
    all.filter(({ name }) => name.includes(values.cell)),
    options,
  );
}

function samplesOfProcess(): Samples[] {
  const args = [
    ...[import.meta.filename, '--samples', '--cell', values.cell, '--blocks', values.blocks],
    ...['--block-ms', values['block-ms'], '--warmup-ms', values['warmup-ms']],
  ];
  const printed = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(printed) as Samples[];
}

function numberOf(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new Error(`${text} is not a whole number from 1 on`);
}
