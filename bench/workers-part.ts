/** What a second worker brings: throughput of `--workers 2` against one, nothing kept to a core. */
import { CELLS } from './cells.ts';
import type { Options } from './options.ts';
import { loadOf, type Rig } from './rig.ts';
import type { Row } from './rows.ts';
import { start } from './targets/running.ts';
import type { Site, Target } from './targets/types.ts';

const WORKERS = [1, 2] as const;
/** Of the small one the rig itself takes most of the second core. */
const LOADS: readonly string[] = ['small', 'agent'];
const WARM_UP_WINDOWS = 4;

export interface WorkersPart {
  readonly options: Options;
  readonly rig: Rig;
  readonly target: Target;
  readonly site: Site;
  readonly keep: (row: Row) => void;
  readonly say: (line: string) => void;
}

/** Measures a few cells with one worker and with two, in turn. */
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
    const access = running.access.tls;
    if (access === undefined) return;
    for (const cell of CELLS.filter(({ name }) => LOADS.includes(name))) {
      const load = loadOf(cell, access);
      await rig.load({ ...load, seconds: options.seconds * WARM_UP_WINDOWS });
      const { measured } = await rig.load({
        ...load,
        seconds: options.seconds,
        pids: running.pids(),
      });
      part.keep({ row: 'workers', cell: cell.name, workers, round, measured });
      const rate = Math.round(measured.exchanges / measured.seconds);
      part.say(`round ${round} workers ${workers}: ${cell.name}=${rate}/s`);
    }
  } finally {
    await running.stop();
  }
}
