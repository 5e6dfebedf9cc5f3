/**
 * The program as a user runs it, for `verify isolation`: the launcher, an environment of its own, and
 * every byte that it says is kept.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { holdLease } from '../../../admin/client.ts';
import { ISOLATION_ANSWER_MS_MAX } from '../../../core/limits.ts';
import { CliError } from '../../failure.ts';
import { PACKAGE_ROOT } from '../../package-info.ts';

const LAUNCHER = join(PACKAGE_ROOT, 'bin', 'lanekeeper');
const LISTENING = /^lanekeeper listening on (http:\/\/\S+)$/m;

/** The folders that a proxy and its commands can write to. */
export interface Scene {
  readonly home: string;
  readonly work: string;
  readonly user: string;
  readonly tmp: string;
}

/** Makes them. */
export function makeScene(root: string, name: string): Scene {
  const scene = {
    home: join(root, name, 'home'),
    work: join(root, name, 'work'),
    user: join(root, name, 'user'),
    tmp: join(root, name, 'tmp'),
  };
  for (const folder of Object.values(scene)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return scene;
}

/** What a process has said so far. */
export interface Said {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface Started {
  readonly child: ChildProcess;
  said(): Said;
  /** Resolves with the exit code when all of it is read; null for a signal. */
  readonly ended: Promise<number | null>;
}

/** Starts a command of the program. */
export function startProgram(
  args: readonly string[],
  { home, work, user, tmp }: Scene,
  env: Readonly<Record<string, string>>,
): Started {
  const child = spawn(LAUNCHER, [...args], {
    cwd: work,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: user,
      TMPDIR: tmp,
      LANEKEEPER_HOME: home,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (piece: Buffer) => out.push(piece));
  child.stderr.on('data', (piece: Buffer) => err.push(piece));
  return {
    child,
    said: () => ({ stdout: Buffer.concat(out), stderr: Buffer.concat(err) }),
    ended: once(child, 'close').then(([code]) => code as number | null),
  };
}

/** Runs a command to its end. */
export async function runProgram(
  args: readonly string[],
  scene: Scene,
  env: Readonly<Record<string, string>>,
): Promise<Said & { readonly code: number | null }> {
  const started = startProgram(args, scene, env);
  const code = await started.ended;
  return { ...started.said(), code };
}

export interface ProxyProcess extends Started {
  readonly url: URL;
  /** SIGTERM, and the end. */
  stop(): Promise<void>;
}

/**
 * Starts the proxy.
 *
 * @throws CliError where it does not say in time that it listens
 */
export async function startProxy(
  workers: number,
  scene: Scene,
  env: Readonly<Record<string, string>>,
): Promise<ProxyProcess> {
  const args = ['start', '--leased', '--port', '0', '--workers', String(workers)];
  const started = startProgram(args, scene, env);
  let giveBack: () => void = () => undefined;
  const stop = async (): Promise<void> => {
    giveBack();
    const timer = setTimeout(() => started.child.kill('SIGKILL'), ISOLATION_ANSWER_MS_MAX);
    started.child.kill('SIGTERM');
    await started.ended;
    clearTimeout(timer);
  };
  try {
    const url = await listening(started);
    // However this process ends, the proxy ends with it.
    giveBack = await holdLease(scene.home);
    return { ...started, url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function listening({ child, said, ended }: Started): Promise<URL> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => {
      const { stdout, stderr } = said();
      reject(new CliError(`the proxy did not start: ${stdout}${stderr}`));
    };
    const timer = setTimeout(refuse, ISOLATION_ANSWER_MS_MAX);
    const hear = (): void => {
      const url = LISTENING.exec(said().stdout.toString('latin1'))?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(new URL(url));
    };
    child.stdout?.on('data', hear);
    child.once('error', reject);
    void ended.then(() => {
      clearTimeout(timer);
      refuse();
    });
  });
}
