/**
 * Real proxies of Debian as gateways in front of a recorder: nginx, haproxy, mitmproxy. Started with
 * an environment of their own, on loopback, ended with the run.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Peer {
  readonly name: 'nginx' | 'haproxy' | 'mitmproxy';
  /** As the program says it. */
  readonly version: string;
  readonly port: number;
  close(): Promise<void>;
}

interface Recipe {
  readonly name: Peer['name'];
  readonly program: string;
  readonly versionArgs: readonly string[];
  /** Configuration beside this file, or null. */
  readonly template: string | null;
  args(place: { work: string; port: number; upstream: number }): readonly string[];
}

const RECIPES: readonly Recipe[] = [
  {
    name: 'nginx',
    program: 'nginx',
    versionArgs: ['-v'],
    template: 'nginx.conf.in',
    args: ({ work }) => ['-p', work, '-c', path.join(work, 'nginx.conf')],
  },
  {
    name: 'haproxy',
    program: 'haproxy',
    versionArgs: ['-v'],
    template: 'haproxy.cfg.in',
    args: ({ work }) => ['-db', '-f', path.join(work, 'haproxy.cfg')],
  },
  {
    name: 'mitmproxy',
    program: 'mitmdump',
    versionArgs: ['--version'],
    template: null,
    args: ({ work, port, upstream }) => [
      ...['--mode', `reverse:http://127.0.0.1:${upstream}`, '--set', `confdir=${work}`],
      ...['--listen-host', '127.0.0.1', '--listen-port', String(port), '--quiet'],
      ...['--set', 'keep_host_header=true'],
    ],
  },
];

const START_MS_MAX = 30_000;
const POLL_MS = 50;

export const PEER_NAMES: readonly Peer['name'][] = RECIPES.map(({ name }) => name);

/** Starts a peer; null where it is not installed. */
export async function startPeer(name: Peer['name'], upstream: number): Promise<Peer | null> {
  const recipe = RECIPES.find((one) => one.name === name);
  if (recipe === undefined) return null;
  const version = versionOf(recipe);
  if (version === null) return null;
  const work = await mkdtemp(path.join(tmpdir(), `hostile-${name}-`));
  const port = await freePort();
  if (recipe.template !== null) {
    const text = await readFile(path.join(import.meta.dirname, recipe.template), 'utf8');
    const filled = text
      .replaceAll('@WORK@', work)
      .replaceAll('@PORT@', String(port))
      .replaceAll('@UPSTREAM@', String(upstream));
    await writeFile(path.join(work, recipe.template.replace(/\.in$/, '')), filled);
  }
  const child = spawn(recipe.program, recipe.args({ work, port, upstream }), {
    env: environment(work),
    stdio: 'ignore',
  });
  await listening(child, port);
  return {
    name,
    version,
    port,
    async close() {
      if (child.exitCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
      await rm(work, { recursive: true, force: true });
    },
  };
}

function environment(home: string): NodeJS.ProcessEnv {
  return { HOME: home, PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
}

function versionOf({ program, versionArgs }: Recipe): string | null {
  const { error, stdout, stderr } = spawnSync(program, versionArgs, {
    encoding: 'utf8',
    env: environment(tmpdir()),
  });
  if (error !== undefined) return null;
  return /\d+\.\d+(?:\.\d+)?/.exec(`${stdout}${stderr}`)?.[0] ?? '';
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const until = performance.now() + START_MS_MAX;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect({ host: '127.0.0.1', port });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return;
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    if (performance.now() > until) throw new Error('does not listen');
    await wait(POLL_MS);
  }
}
