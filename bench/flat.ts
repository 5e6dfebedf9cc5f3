/**
 * Whether memory stays flat: `node bench/flat.ts [EXCHANGES] [OUT]`, a million exchanges by default, through
 * the program as it is installed. Some minutes; it is not part of `make bench`. Linux only.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Answer } from './load/wire.ts';
import { openRig, type Rig } from './rig.ts';
import { number } from './statistics.ts';
import { buildLanekeeper, lanekeeper } from './targets/lanekeeper.ts';
import { type Memory, type Running, start } from './targets/running.ts';
import { makeCertificates } from './targets/site.ts';

/** So many samples, whatever the number of exchanges. */
const SAMPLES = 50;
/** One in so many exchanges is a stream of 107 events. */
const STREAMS = 10;
/** Of the samples, before which memory is still growing to its working size. */
const SETTLED = 0.2;
const SECONDS_MAX = 3600;

interface Sample {
  readonly exchanges: number;
  readonly memory: readonly Memory[];
}

async function sample(rig: Rig, running: Running, exchanges: number): Promise<readonly Memory[]> {
  const access = running.access.tls;
  if (access === undefined) throw new Error('the target has no TLS');
  const streams = Math.round(exchanges / STREAMS);
  const loads: readonly [number, Answer][] = [
    [exchanges - streams, { kind: 'json' }],
    [streams, { kind: 'stream', everyMs: 0 }],
  ];
  for (const [count, answer] of loads) {
    const { measured } = await rig.load({
      access,
      answer,
      body: 'small',
      connections: 16,
      seconds: SECONDS_MAX,
      exchanges: count,
      pids: running.pids(),
    });
    if (measured.errors > 0) throw new Error(`${measured.errors} errors: ${measured.firstError}`);
  }
  return running.memory();
}

/** MiB that the total grew by from the first sample to the last, along the line of least squares. */
function growth(samples: readonly Sample[]): number {
  const points = samples.map(({ memory }, index) => [index, totalOf(memory)] as const);
  const x = (points.length - 1) / 2;
  const y = points.reduce((sum, [, mebibytes]) => sum + mebibytes, 0) / points.length;
  const over = points.reduce((sum, [at, mebibytes]) => sum + (at - x) * (mebibytes - y), 0);
  const slope = over / points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
  return slope * (points.length - 1);
}

function totalOf(memory: readonly Memory[]): number {
  return memory.reduce((sum, { rss }) => sum + rss, 0);
}

async function measure(work: string, exchanges: number, out: string): Promise<void> {
  const certificates = await makeCertificates(join(work, 'certificates'));
  const rig = await openRig(certificates);
  const target = lanekeeper(await buildLanekeeper(join(work, 'lanekeeper')));
  const site = {
    folder: join(work, 'site'),
    upstreamPort: rig.ports.tlsPort,
    certificates,
    args: [],
  };
  const running = await start(target, site, 'proxy');
  const samples: Sample[] = [];
  try {
    for (let done = 1; done <= SAMPLES; done += 1) {
      const memory = await sample(rig, running, Math.ceil(exchanges / SAMPLES));
      const taken = { exchanges: Math.round((done * exchanges) / SAMPLES), memory };
      samples.push(taken);
      appendFileSync(out, `${JSON.stringify(taken)}\n`);
      const parts = memory.map(({ role, rss }) => `${role} ${number(rss)}`).join(', ');
      console.log(`${taken.exchanges} exchanges: ${number(totalOf(memory))} MiB (${parts})`);
    }
  } finally {
    await running.stop();
    await rig.close();
  }
  const settled = samples.slice(Math.round(SAMPLES * SETTLED));
  const totals = settled.map(({ memory }) => totalOf(memory));
  console.log(
    `after the first fifth: ${number(Math.min(...totals))} to ${number(Math.max(...totals))} MiB, ` +
      `along their line ${number(growth(settled))} MiB more at the end`,
  );
}

// Ends what was started too (targets/running.ts).
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
const exchanges = Number(process.argv[2] ?? 1_000_000);
const out = process.argv[3] ?? join(import.meta.dirname, 'results', 'flat.jsonl');
if (process.platform !== 'linux') throw new Error('memory of processes is only told by Linux');
const work = mkdtempSync(join(tmpdir(), 'lanekeeper-bench-'));
try {
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, '');
  await measure(work, exchanges, out);
} finally {
  rmSync(work, { recursive: true, force: true });
}
