/** Lanekeeper as it is installed: built into a folder of its own, with a home and lanes of its own. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from '../../scripts/build.ts';
import { SECOND_KEY, SECOND_PREFIX } from '../load/wire.ts';
import { connectAt, freePort, plainAt } from './site.ts';
import type { Plan, Site, Target } from './types.ts';

const ROOT = dirname(dirname(import.meta.dirname));

/** @param launcher of the program that `buildLanekeeper` made */
export function lanekeeper(launcher: string): Target {
  return {
    name: 'lanekeeper',
    about:
      'this program: routes, swaps the key, checks isolation, compares bytes, keeps the ledger',
    duty: 'whole',
    missing: () => null,
    plan: (site) => plan(launcher, site),
  };
}

async function plan(launcher: string, site: Site): Promise<Plan> {
  const home = join(site.folder, 'home');
  const port = await freePort();
  const origin = `https://127.0.0.1:${site.upstreamPort}`;
  const ca = site.certificates.caFile;
  const key = { env: 'ZAI_API_KEY', header: 'x-api-key' };
  const lanes = {
    anthropic: { upstream: origin, credentials: 'passthrough', ca },
    zai: { upstream: `${origin}${SECOND_PREFIX}`, credentials: key, ca },
  };
  mkdirSync(home, { recursive: true });
  rmSync(join(home, 'logs'), { recursive: true, force: true });
  // YAML is a superset of JSON.
  writeFileSync(join(home, 'lanekeeper.yaml'), JSON.stringify({ lanes }));
  return {
    command: [launcher, 'start', '--home', home, '--port', String(port), ...site.args],
    env: { ZAI_API_KEY: SECOND_KEY, FORCE_HAIKU_TO_ZAI: '1' },
    ports: [port],
    access: () => {
      const own = readFileSync(join(home, 'ca', 'ca-cert.pem'), 'utf8');
      return { tls: connectAt(port, own), gateway: plainAt(port), h2: connectAt(port, own, true) };
    },
    usageFile: join(home, 'logs', 'usage.jsonl'),
  };
}

/**
 * Lays the program out as an installed package is: built, without its sources.
 *
 * @returns its launcher
 * @throws Error when it can not be built
 */
export async function buildLanekeeper(folder: string): Promise<string> {
  await build(join(folder, 'dist'));
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) symlinkSync(join(ROOT, 'node_modules'), modules);
  return join(folder, 'bin', 'lanekeeper');
}
