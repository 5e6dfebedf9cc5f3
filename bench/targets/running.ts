/** A target that runs: its processes, its memory, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { contents, cpuOf, listing } from '../load/cpu.ts';
import { type Core, end, pinned } from '../load/process.ts';
import type { Access } from '../load/types.ts';
import type { Plan, Site, Target, Way } from './types.ts';

const LINUX = process.platform === 'linux';
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 5_000;
const POLL_MS = 2;
const IDLE_POLL_MS = 50;
const IDLE_POLLS_MAX = 100;
/** CPU of a process that rests, s of `IDLE_POLL_MS`. */
const IDLE_CPU_MAX = 0.005;

/** Memory of one process, MiB. */
export interface Memory {
  /** The program's name and what tells its processes apart. */
  readonly role: string;
  readonly rss: number;
  /** Shared pages divided among those who share them. */
  readonly pss: number;
  /** The most RSS since `resetPeak`. */
  readonly peak: number;
}

export interface Running {
  readonly target: Target;
  readonly access: Partial<Record<Way, Access>>;
  /** When it was started, on the clock of `performance`. */
  readonly begun: number;
  /** From the start to the first accepted connection, ms. */
  readonly portMs: number;
  pids(): number[];
  /** Empty off Linux. */
  memory(): Memory[];
  resetPeak(): void;
  /** Waits until its processes rest. */
  rest(): Promise<void>;
  /** Lines with a number of output tokens that it has noted; null where it notes none. */
  usageLines(): Promise<number | null>;
  stop(): Promise<void>;
}

/** Its port was free a moment before; somebody may have been faster. */
const STARTS_MAX = 3;

/**
 * Starts a target and waits until it accepts connections.
 *
 * @param core where it is kept; null: anywhere
 * @throws Error with what it printed, when it does not come up
 */
export async function start(target: Target, site: Site, core: Core | null): Promise<Running> {
  for (let starts = 1; ; starts += 1) {
    try {
      return await startOnce(target, site, core);
    } catch (error) {
      if (starts === STARTS_MAX) throw error;
    }
  }
}

async function startOnce(target: Target, site: Site, core: Core | null): Promise<Running> {
  mkdirSync(site.folder, { recursive: true });
  const plan = await target.plan(site);
  const log = join(site.folder, 'output.log');
  const begun = performance.now();
  const child = launch(plan, site, log, core);
  try {
    for (const port of plan.ports) await accepting(port, child, begun);
  } catch (error) {
    await endAll(child);
    const printed = readFileSync(log, 'utf8').slice(-500);
    throw new Error(`${target.name} did not start: ${String(error)}\n${printed}`);
  }
  const portMs = performance.now() - begun;
  const pids = (): number[] => sessionOf(child.pid ?? 0);
  return {
    target,
    access: plan.access(),
    begun,
    portMs,
    pids,
    memory: () => pids().map(memoryOf),
    resetPeak: () => pids().forEach(resetPeakOf),
    rest: () => rest(pids()),
    usageLines: () =>
      plan.usageFile === null ? Promise.resolve(null) : countUsage(plan.usageFile),
    stop: () => endAll(child),
  };
}

/** Those that run: sessions of their own, they would outlive this process. */
const launched = new Set<ChildProcess>();
process.on('exit', () => {
  for (const { pid } of launched) {
    if (pid !== undefined) kill(-pid);
  }
});

/** @param pid negative: a group of processes */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function launch(plan: Plan, site: Site, log: string, core: Core | null): ChildProcess {
  const output = openSync(log, 'w');
  const [command = '', ...args] = pinned(core, plan.command);
  const child = spawn(command, args, {
    cwd: site.folder,
    // Nothing of the caller's: no proxy variable, no key, no option of Node.
    env: { HOME: site.folder, PATH: process.env['PATH'] ?? '', ...plan.env },
    // A session of its own, by which its processes are known.
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  launched.add(child);
  return child;
}

async function accepting(port: number, child: ChildProcess, begun: number): Promise<void> {
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    if (performance.now() - begun > START_MS_MAX) throw new Error(`port ${port} never opened`);
    await wait(POLL_MS);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** All processes of a session; off Linux the one that was started. */
function sessionOf(leader: number): number[] {
  if (!LINUX) return [leader];
  return listing('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = contents(`/proc/${pid}/stat`);
      // Behind the name, which may hold anything: state, parent, group, session.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[3]) === leader && fields[0] !== 'Z';
    });
}

async function endAll(child: ChildProcess): Promise<void> {
  await end(child, STOP_MS_MAX);
  for (const pid of LINUX ? sessionOf(child.pid ?? 0) : []) kill(pid);
  launched.delete(child);
}

function memoryOf(pid: number): Memory {
  const command = contents(`/proc/${pid}/cmdline`).split('\0');
  const rollup = contents(`/proc/${pid}/smaps_rollup`);
  const mebibytes = (text: string, name: string): number =>
    Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return {
    role: roleOf(command) ?? contents(`/proc/${pid}/comm`).trim(),
    rss: mebibytes(rollup, 'Rss'),
    pss: mebibytes(rollup, 'Pss'),
    peak: mebibytes(contents(`/proc/${pid}/status`).replace(/\t/g, ' '), 'VmHWM'),
  };
}

/** What a process of Lanekeeper does; null for others. */
function roleOf(command: readonly string[]): string | null {
  if (command.includes('--worker')) return 'worker';
  return command.some((part) => part.endsWith('/bin/entry.mjs')) ? 'supervisor' : null;
}

/** Linux: 5 resets the peak (proc_pid_clear_refs(5)). */
function resetPeakOf(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Not ours to write, or gone: the peak is then that of its life.
  }
}

async function rest(pids: readonly number[]): Promise<void> {
  for (let poll = 0; poll < IDLE_POLLS_MAX; poll += 1) {
    const before = cpuOf(pids);
    await wait(IDLE_POLL_MS);
    if ((cpuOf(pids) ?? 0) - (before ?? 0) <= IDLE_CPU_MAX) return;
  }
}

async function countUsage(file: string): Promise<number> {
  let count = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      if (/"output_tokens": ?\d/.test(line)) count += 1;
    }
  } catch {
    return 0;
  }
  return count;
}
