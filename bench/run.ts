/**
 * What Lanekeeper costs, next to what else could stand in its place: `node bench/run.ts` (README.md). It writes
 * `raw.jsonl`, `tables.md` and `plot.svg`.
 */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { join } from 'node:path';
import { measureLedger } from './ledger-part.ts';
import { PINS } from './load/process.ts';
import { DIRECT, measureLoads } from './load-part.ts';
import { type Options, optionsOf, USAGE } from './options.ts';
import { plotOf } from './plot.ts';
import { openRig } from './rig.ts';
import type { MachineRow, Row } from './rows.ts';
import { measureStarts } from './start-part.ts';
import { tablesOf } from './tables.ts';
import { allTargets } from './targets/all.ts';
import { buildLanekeeper } from './targets/lanekeeper.ts';
import { makeCertificates } from './targets/site.ts';
import type { Site, Target } from './targets/types.ts';
import { measureWorkers } from './workers-part.ts';

function say(line: string): void {
  console.log(line);
}

async function run(options: Options): Promise<void> {
  mkdirSync(options.out, { recursive: true });
  const rows: Row[] = [];
  const raw = join(options.out, 'raw.jsonl');
  writeFileSync(raw, '');
  const keep = (row: Row): void => {
    rows.push(row);
    appendFileSync(raw, `${JSON.stringify(row)}\n`);
  };
  const launcher = await buildLanekeeper(join(options.work, 'lanekeeper'));
  const certificates = await makeCertificates(join(options.work, 'certificates'));
  const { found, missing } = chosen(allTargets(launcher, options.peers), options.targets);
  keep(machineRow(options, missing));
  for (const line of missing) say(`not measured: ${line}`);
  const rig = await openRig(certificates);
  const siteOf = (target: Target): Site => ({
    folder: join(options.work, 'sites', target.name),
    upstreamPort: rig.ports.tlsPort,
    certificates,
    args: [],
  });
  const common = { options, rig, targets: found, siteOf, keep, say };
  try {
    if (options.parts.includes('load')) await measureLoads(common);
    if (options.parts.includes('start')) {
      await measureStarts({ ...common, starts: options.starts });
    }
    const own = found.find(({ name }) => name === 'lanekeeper');
    if (options.parts.includes('workers') && own !== undefined) {
      await measureWorkers({ ...common, target: own, site: siteOf(own) });
    }
  } finally {
    await rig.close();
  }
  if (options.parts.includes('ledger')) measureLedger({ ...options, keep, say });
  writeFileSync(join(options.out, 'tables.md'), tablesOf(rows));
  const plot = plotOf(rows);
  if (plot !== null) writeFileSync(join(options.out, 'plot.svg'), plot);
  say(`written: ${options.out}`);
}

function chosen(
  all: readonly Target[],
  names: readonly string[] | null,
): { found: Target[]; missing: string[] } {
  const known = [DIRECT, ...all.map(({ name }) => name)];
  for (const name of names ?? []) {
    if (!known.includes(name)) throw new Error(`there is no target ${name}: ${known.join(' ')}`);
  }
  const wanted = all.filter(({ name }) => names === null || names.includes(name));
  const reasons = new Map(wanted.map((target) => [target, target.missing()]));
  return {
    found: wanted.filter((target) => reasons.get(target) === null),
    missing: wanted.flatMap((target) => {
      const reason = reasons.get(target) ?? null;
      return reason === null ? [] : [`${target.name}, ${reason}`];
    }),
  };
}

function machineRow(options: Options, missing: readonly string[]): MachineRow {
  return {
    row: 'machine',
    date: new Date().toISOString(),
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    kernel: `${process.platform} ${release()}`,
    pinned: PINS,
    linux: process.platform === 'linux',
    rounds: options.rounds,
    seconds: options.seconds,
    missing,
  };
}

function optionsOrUsage(): Options | null {
  try {
    return optionsOf(process.argv.slice(2), new Date());
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return null;
  }
}

// Ends what was started too (targets/running.ts).
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
if (process.argv.includes('--help')) {
  say(USAGE);
} else {
  const options = optionsOrUsage();
  if (options === null) process.exitCode = 2;
  else await run(options);
}
