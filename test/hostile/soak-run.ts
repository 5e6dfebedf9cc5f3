/**
 * `make hostile-soak MINUTES=`: prints what came of it, and exits with 1 where something is off.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { HTTP2_LOAD } from './h2/soak-load.ts';
import { HTTP1_LOAD } from './load.ts';
import { describeSoak, hostileSoak, judgeSoak } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string', default: '0.02' },
    clients: { type: 'string', default: '2' },
    attackers: { type: 'string', default: '16' },
    'pause-ms': { type: 'string', default: '20' },
  },
});

const home = await mkdtemp(path.join(tmpdir(), 'lanekeeper-hostile-'));
try {
  const outcome = await hostileSoak({
    ms: Number(values.minutes) * 60_000,
    seed: Number(values.seed),
    faultRate: Number(values.faults),
    clients: Number(values.clients),
    attackers: Number(values.attackers),
    pauseMs: Number(values['pause-ms']),
    loads: [HTTP1_LOAD, HTTP2_LOAD],
    home,
  });
  console.log(describeSoak(outcome));
  process.exitCode = judgeSoak(outcome).length === 0 ? 0 : 1;
} finally {
  await rm(home, { recursive: true, force: true });
}
