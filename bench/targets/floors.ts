/** Targets of ours in Node: what it costs at least, and what plain node:http costs. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Settings, VARIABLES } from '../floors/settings.ts';
import { API_HOST, SECOND_KEY } from '../load/wire.ts';
import { connectAt, freePort, plainAt } from './site.ts';
import type { Plan, Site, Target } from './types.ts';

export const pump: Target = {
  name: 'node-pump',
  about: 'the floor of Node: TLS ends, TLS begins, bytes go between; no HTTP is read',
  duty: 'passes',
  missing: () => null,
  plan: async (site) => {
    const { plan, port } = await ownPlan(site, 'pump.ts');
    const ca = site.certificates.caPem;
    return {
      ...plan,
      usageFile: null,
      access: () => ({
        tls: connectAt(port, ca),
        gateway: plainAt(port),
        h2: connectAt(port, ca, true),
      }),
    };
  },
};

export const nodeHttp: Target = {
  name: 'node-http',
  about: 'the same job as lanekeeper on node:http and node:https, done well',
  duty: 'whole',
  missing: () => null,
  plan: async (site) => {
    const { plan, port } = await ownPlan(site, 'http.ts');
    const ca = site.certificates.caPem;
    return { ...plan, access: () => ({ tls: connectAt(port, ca), gateway: plainAt(port) }) };
  },
};

/** What a program of `floors` is started with. */
async function ownPlan(
  site: Site,
  module: string,
): Promise<{ plan: Omit<Plan, 'access'>; port: number }> {
  const port = await freePort();
  const usageFile = join(site.folder, 'usage.jsonl');
  mkdirSync(site.folder, { recursive: true });
  rmSync(usageFile, { force: true });
  const plan = {
    command: [process.execPath, join(import.meta.dirname, '..', 'floors', module)],
    // As for Lanekeeper: what was compiled at the first start is not compiled again.
    env: {
      ...environmentOf(site, port, usageFile),
      NODE_COMPILE_CACHE: join(site.folder, 'compiled'),
    },
    ports: [port] as const,
    usageFile,
  };
  return { plan, port };
}

/** The environment that says it all to a program of ours. */
export function environmentOf(site: Site, port: number, usageFile: string): Record<string, string> {
  const { certificates, upstreamPort, folder } = site;
  const values: Record<keyof Settings, string> = {
    port: String(port),
    upstreamPort: String(upstreamPort),
    host: API_HOST,
    caFile: certificates.caFile,
    certFile: certificates.certFile,
    keyFile: certificates.keyFile,
    secondKey: SECOND_KEY,
    usageFile,
    folder,
  };
  return Object.fromEntries(
    (Object.keys(values) as (keyof Settings)[]).map((name) => [VARIABLES[name], values[name]]),
  );
}
