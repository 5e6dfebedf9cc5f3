/** Proxies of Debian with HTTP/2 towards their clients, before an origin: what ours is compared with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { type Cleanup, tempHome } from '../../../support/home.ts';
import type { Door } from '../peer.ts';
import { BARE_ENV, install, outputOf, programOf } from './debian.ts';

const START_MS_MAX = 20_000;
const POLL_MS = 50;
/** A peer that says nothing for this long is said to be silent. */
const WAIT_MS = 4_000;

export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly door: Door;
  /** It runs no more. */
  isDead(): boolean;
}

interface Recipe {
  readonly name: string;
  readonly program: string;
  readonly package: string;
  /** Arguments that print its version, and where that is. */
  readonly version: readonly [arg: string, pattern: RegExp];
  /** Writes its configuration; gives its arguments. */
  prepare(home: string, port: number, origin: number): Promise<string[]>;
  /** Where it speaks TLS only: the file of its CA, below the home. */
  readonly ca?: string;
}

const NGINX: Recipe = {
  name: 'nginx',
  program: 'nginx',
  package: 'nginx',
  version: ['-v', /nginx\/([\d.]+)/],
  async prepare(home, port, origin) {
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${home}/${name};`)
      .join(' ');
    const file = path.join(home, 'nginx.conf');
    await writeFile(
      file,
      `daemon off; master_process off; pid ${home}/pid; error_log /dev/null crit;
events { worker_connections 4096; }
http { access_log off; ${temp}
  server { listen 127.0.0.1:${port} http2;
    location / { proxy_pass http://127.0.0.1:${origin}; proxy_http_version 1.1; } } }
`,
    );
    return ['-c', file, '-p', home, '-e', '/dev/null'];
  },
};

const HAPROXY: Recipe = {
  name: 'haproxy',
  program: 'haproxy',
  package: 'haproxy',
  version: ['-v', /version ([\d.]+)/],
  async prepare(home, port, origin) {
    const file = path.join(home, 'haproxy.cfg');
    await writeFile(
      file,
      `defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
frontend in
  bind 127.0.0.1:${port} proto h2
  default_backend out
backend out
  server origin 127.0.0.1:${origin}
`,
    );
    return ['-f', file, '-db'];
  },
};

const MITMPROXY: Recipe = {
  name: 'mitmproxy',
  program: 'mitmdump',
  package: 'mitmproxy',
  version: ['--version', /Mitmproxy: ([\d.]+)/],
  async prepare(home, port, origin) {
    const to = `reverse:http://127.0.0.1:${origin}`;
    return [
      '-q',
      '--mode',
      to,
      '--listen-host',
      '127.0.0.1',
      '-p',
      `${port}`,
      '--set',
      `confdir=${home}`,
    ];
  },
  ca: 'mitmproxy-ca-cert.pem',
};

/** Installs what is missing and starts all that can be; they end with the context. */
export async function startPeers(context: Cleanup, origin: number): Promise<Peer[]> {
  const recipes = [NGINX, HAPROXY, MITMPROXY];
  const missing = recipes.filter(({ program }) => programOf(program) === null);
  if (missing.length > 0) await install(...missing.map((recipe) => recipe.package));
  const peers: Peer[] = [];
  for (const recipe of recipes) {
    const program = programOf(recipe.program);
    if (program !== null) peers.push(await start(context, recipe, program, origin));
  }
  return peers;
}

async function start(
  context: Cleanup,
  recipe: Recipe,
  program: string,
  origin: number,
): Promise<Peer> {
  const home = await tempHome(context);
  const port = await freePort();
  const args = await recipe.prepare(home, port, origin);
  const env = { ...BARE_ENV, HOME: home };
  const child = spawn(program, args, { cwd: home, env, stdio: 'ignore' });
  context.after(() => end(child));
  await accepts(port, child, recipe.name);
  const [arg, pattern] = recipe.version;
  const version = pattern.exec((await outputOf(program, [arg])) ?? '')?.[1] ?? '?';
  const plain: Door = { host: '127.0.0.1', port, waitMs: WAIT_MS };
  const door =
    recipe.ca === undefined
      ? plain
      : {
          ...plain,
          tls: {
            ca: await readFile(path.join(home, recipe.ca), 'utf8'),
            servername: 'localhost',
            tunnel: false,
          },
        };
  return { name: recipe.name, version, door, isDead: () => child.exitCode !== null };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function accepts(port: number, child: ChildProcess, name: string): Promise<void> {
  const until = Date.now() + START_MS_MAX;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (isOpen) return;
    if (child.exitCode !== null || Date.now() > until) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
