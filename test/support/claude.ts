/**
 * The real Claude Code as a client: the pinned version, installed on demand (about 380 MB) into the
 * ignored `.cache/claude-code/` of the checkout, run with an environment of its own.
 *
 * It never sees the environment of the machine and talks to loopback only: a run whose variables do
 * not lead it there is refused.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FAKE_API_KEY } from './sdk.ts';

/** The version whose behaviour on the wire was measured. */
export const CLAUDE_VERSION = '2.1.330';

const PACKAGE = '@anthropic-ai/claude-code';
const FOLDER = fileURLToPath(new URL('../../.cache/claude-code/', import.meta.url));
const LOCK = path.join(FOLDER, '.lock');
const LOCK_POLL_MS = 200;
const INSTALL_MS_MAX = 600_000;
const RUN_MS_DEFAULT = 60_000;
const OUTPUT_CHARACTERS_MAX = 4 * 1024 * 1024;
const PLATFORMS: ReadonlySet<string> = new Set([
  'darwin-arm64',
  'darwin-x64',
  'linux-arm64',
  'linux-x64',
  'win32-arm64',
  'win32-x64',
]);
/** Nothing but the model calls: what these switches turn off would leave loopback. */
export const QUIET = {
  DISABLE_TELEMETRY: '1',
  DISABLE_ERROR_REPORTING: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
};

/** Why tests with Claude Code can not run here, or null. */
export function skipReason(): string | null {
  if (process.env['SKIP_CLAUDE'] === '1') return 'SKIP_CLAUDE=1';
  const platform = `${process.platform}-${process.arch}`;
  return PLATFORMS.has(platform) ? null : `Claude Code has no binary for ${platform}`;
}

export interface ClaudeOptions {
  readonly args: readonly string[];
  /** What leads it to the proxy or the twin; goes before everything set here. */
  readonly env: Readonly<Record<string, string>>;
  /** Its HOME and working directory. */
  readonly home: string;
  /** A command that runs it, such as `lanekeeper run --`; killing reaches that command alone. */
  readonly via?: readonly string[];
  /** Written to its standard input, which then ends. */
  readonly input?: string;
  /** Default 60 s; then it is killed. */
  readonly timeoutMs?: number;
}

export interface ClaudeRun {
  /** Null where it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/**
 * Runs it to its end, after installing it where needed.
 *
 * @throws AssertionError where `env` does not lead it to loopback
 */
export async function runClaude(options: ClaudeOptions): Promise<ClaudeRun> {
  const { child, done } = await startClaude(options);
  child.stdin?.end(options.input ?? '');
  return done;
}

/** A process under way, for tests that talk to it or interrupt it. */
export interface ClaudeProcess {
  readonly child: ChildProcess;
  readonly done: Promise<ClaudeRun>;
}

/** Starts it. The caller ends its standard input. */
export async function startClaude(options: ClaudeOptions): Promise<ClaudeProcess> {
  assertLoopback(options.env);
  const [program = '', ...args] = [...(options.via ?? []), await ensureClaude(), ...options.args];
  const started = performance.now();
  const child = spawn(program, args, {
    cwd: options.home,
    env: {
      HOME: options.home,
      PATH: '/usr/bin:/bin',
      ANTHROPIC_API_KEY: FAKE_API_KEY,
      ...QUIET,
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? RUN_MS_DEFAULT,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => {});
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const done = new Promise<ClaudeRun>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout: stdout(), stderr: stderr(), ms: performance.now() - started });
    });
  });
  done.catch(() => {});
  return { child, done };
}

/** The installed binary; installs it first where it is missing. Safe from parallel processes. */
export async function ensureClaude(): Promise<string> {
  const reason = skipReason();
  assert.equal(reason, null, `Claude Code is not to be run: ${reason}`);
  const present = await installed();
  if (present !== null) return present;
  await mkdir(FOLDER, { recursive: true });
  const unlock = await lock();
  try {
    return (await installed()) ?? (await install());
  } finally {
    await unlock();
  }
}

function assertLoopback(env: Readonly<Record<string, string>>): void {
  const leads = ['ANTHROPIC_BASE_URL', 'HTTPS_PROXY', 'HTTP_PROXY', 'https_proxy', 'http_proxy']
    .map((name) => env[name])
    .filter((value) => value !== undefined);
  assert(leads.length > 0, 'Claude Code needs a base URL or a proxy on loopback');
  for (const lead of leads) {
    const { hostname } = new URL(lead);
    assert(hostname === '127.0.0.1' || hostname === 'localhost', `${hostname} is not loopback`);
  }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => {
    if (text.length < OUTPUT_CHARACTERS_MAX) text += piece;
  });
  return () => text;
}

/** The binary in the package of this platform, or null where it or the version is not there. */
async function installed(): Promise<string | null> {
  const scope = path.join(FOLDER, 'node_modules', '@anthropic-ai');
  try {
    const manifest: unknown = JSON.parse(
      await readFile(path.join(scope, 'claude-code', 'package.json'), 'utf8'),
    );
    const version = (manifest as { version?: unknown }).version;
    if (version !== CLAUDE_VERSION) return null;
    const prefix = `claude-code-${process.platform}-${process.arch}`;
    const folder = (await readdir(scope)).find((name) => name.startsWith(prefix));
    if (folder === undefined) return null;
    const file = process.platform === 'win32' ? 'claude.exe' : 'claude';
    const binary = path.join(scope, folder, file);
    await access(binary);
    return binary;
  } catch {
    return null;
  }
}

/** Installs apart and moves the whole into its place: others may look while npm is still writing. */
async function install(): Promise<string> {
  const manifest = { private: true, dependencies: { [PACKAGE]: CLAUDE_VERSION } };
  const apart = path.join(FOLDER, 'installing');
  await rm(apart, { recursive: true, force: true });
  await mkdir(apart);
  await writeFile(path.join(apart, 'package.json'), `${JSON.stringify(manifest)}\n`);
  // Its install script only links the binary, which is run where it lies; so no script is needed.
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'];
  const npm = spawn('npm', args, {
    cwd: apart,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: INSTALL_MS_MAX,
    shell: process.platform === 'win32',
  });
  const output = [collect(npm.stdout), collect(npm.stderr)];
  const code = await new Promise((resolve, reject) => {
    npm.once('error', reject);
    npm.once('close', resolve);
  });
  if (code === 0) {
    const modules = path.join(FOLDER, 'node_modules');
    await rm(modules, { recursive: true, force: true });
    await rename(path.join(apart, 'node_modules'), modules);
    await rm(apart, { recursive: true, force: true });
    const binary = await installed();
    if (binary !== null) return binary;
  }
  throw new Error(`npm could not install ${PACKAGE}: ${output.map((read) => read()).join('\n')}`);
}

/** Takes the lock of the folder; a lock whose process is gone is taken over. */
async function lock(): Promise<() => Promise<void>> {
  const deadline = performance.now() + INSTALL_MS_MAX;
  while (performance.now() < deadline) {
    try {
      await writeFile(LOCK, String(process.pid), { flag: 'wx' });
      return () => rm(LOCK, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
    const pid = Number(await readFile(LOCK, 'utf8').catch(() => ''));
    if (pid > 0 && !isAlive(pid)) await rm(LOCK, { force: true });
    else await wait(LOCK_POLL_MS);
  }
  throw new Error(`another process holds ${LOCK}: remove it if none is installing`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}
