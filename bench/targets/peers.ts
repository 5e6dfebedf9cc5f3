/** Other programs that intercept TLS, each doing as much of the same job as it can. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { environmentOf } from './floors.ts';
import { connectAt, freePort, missingProgram } from './site.ts';
import type { Plan, Site, Target } from './types.ts';

const FOLDER = join(import.meta.dirname, '..', 'peers');

export const mitmproxy: Target = {
  name: 'mitmproxy',
  about: 'mitmdump with an addon that does the whole job, streams passed on as they come',
  duty: 'whole',
  missing: () => missingProgram('mitmdump', 'mitmproxy'),
  plan: async (site) => {
    const configuration = join(site.folder, 'configuration');
    const port = await freePort();
    const settings = {
      confdir: configuration,
      ssl_verify_upstream_trusted_ca: site.certificates.caFile,
      connection_strategy: 'lazy',
      flow_detail: '0',
    };
    const set = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
    const listen = ['--listen-host', '127.0.0.1', '-p', String(port)];
    const addon = join(FOLDER, 'mitmproxy_addon.py');
    return peerPlan(site, {
      port,
      command: ['mitmdump', '-q', ...listen, '-s', addon, ...set],
      authority: join(configuration, 'mitmproxy-ca-cert.pem'),
      env: { PYTHONDONTWRITEBYTECODE: '1' },
    });
  },
};

/** Peers that are packages, looked for in a folder's `node_modules`. */
export function packagePeers(folder: string): Target[] {
  return [
    packagePeer(folder, {
      name: 'mockttp',
      about:
        'mockttp passing through: a matcher on the body, rewritten headers, usage from its event',
      module: 'mockttp.ts',
      authority: 'mockttp-ca.pem',
    }),
    packagePeer(folder, {
      name: 'http-mitm-proxy',
      about: 'http-mitm-proxy with handlers that do the whole job',
      module: 'http-mitm-proxy.ts',
      authority: join('ca', 'certs', 'ca.pem'),
    }),
  ];
}

interface PackagePeer {
  /** Of the package too. */
  readonly name: string;
  readonly about: string;
  readonly module: string;
  /** Where its certificate will lie, in the site's folder. */
  readonly authority: string;
}

function packagePeer(folder: string, { name, about, module, authority }: PackagePeer): Target {
  const place = relative(process.cwd(), folder);
  return {
    name,
    about,
    duty: 'whole',
    missing: () =>
      canRequire(folder, name)
        ? null
        : `there is no ${name} in ${place}: npm install --prefix ${place} ${name}`,
    plan: async (site) =>
      peerPlan(site, {
        port: await freePort(),
        command: [process.execPath, join(FOLDER, module)],
        authority: join(site.folder, authority),
        env: { BENCH_PEERS: folder, NODE_EXTRA_CA_CERTS: site.certificates.caFile },
      }),
  };
}

function canRequire(folder: string, name: string): boolean {
  if (!existsSync(folder)) return false;
  try {
    createRequire(join(folder, 'package.json')).resolve(name);
    return true;
  } catch {
    return false;
  }
}

interface Peer {
  readonly port: number;
  readonly command: readonly string[];
  /** The file of its authority's certificate, which it makes when it starts. */
  readonly authority: string;
  readonly env: Readonly<Record<string, string>>;
}

function peerPlan(site: Site, { port, command, authority, env }: Peer): Plan {
  const usageFile = join(site.folder, 'usage.jsonl');
  mkdirSync(site.folder, { recursive: true });
  rmSync(usageFile, { force: true });
  return {
    command,
    env: { ...environmentOf(site, port, usageFile), ...env },
    ports: [port],
    access: () => ({ tls: connectAt(port, readFileSync(authority, 'utf8')) }),
    usageFile,
  };
}
