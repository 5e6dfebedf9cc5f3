/** What a second worker brings: throughput of `--workers 2` against one, nothing kept to a core. */
import { CELLS } from './cells.ts';
import type { Options } from './options.ts';
import { loadOf, type Rig } from './rig.ts';
import type { Row } from './rows.ts';
import { start } from './targets/running.ts';
import type { Site, Target } from './targets/types.ts';

const WORKERS = [1, 2] as const;
const WARM_UP_WINDOWS = 4;

export interface WorkersPart {
  readonly options: Options;
  readonly rig: Rig;
  readonly target: Target;
  readonly site: Site;
  readonly keep: (row: Row) => void;
  readonly say: (line: string) => void;
}

/** Measures the small cell with one worker and with two, in turn. */
export async function measureWorkers(part: WorkersPart): Promise<void> {
  for (let round = 1; round <= part.options.rounds; round += 1) {
    const order = round % 2 === 0 ? WORKERS.toReversed() : WORKERS;
    for (const workers of order) await measure(part, round, workers);
  }
}

async function measure(part: WorkersPart, round: number, workers: number): Promise<void> {
  const { options, rig, target } = part;
  const site = { ...part.site, args: ['--workers', String(workers)] };
  const running = await start(target, site, null);
  try {
    const cell = CELLS.find(({ name }) => name === 'small');
    const access = running.access.tls;
    if (cell === undefined || access === undefined) return;
    const load = loadOf(cell, access);
    await rig.load({ ...load, seconds: options.seconds * WARM_UP_WINDOWS });
    const { measured } = await rig.load({
      ...load,
      seconds: options.seconds,
      pids: running.pids(),
    });
    part.keep({ row: 'workers', workers, round, measured });
    const rate = Math.round(measured.exchanges / measured.seconds);
    part.say(`round ${round} workers ${workers}: ${rate} exchanges/s`);
  } finally {
    await running.stop();
  }
}
