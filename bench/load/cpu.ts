/**
 * CPU time of processes and of the machine, as Linux tells it. Elsewhere there is none, and null says so.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Cpu } from './types.ts';

const LINUX = process.platform === 'linux';
/** Ticks of /proc/stat a second: the kernel's ABI has it at 100 whatever the kernel's own clock. */
const TICKS = 100;

export interface CpuReading {
  /** What was used since a reading before. */
  since(before: CpuReading): Cpu;
  readonly proxy: number | null;
  readonly upstream: number | null;
  readonly generator: number;
  readonly machine: { readonly busy: number; readonly steal: number } | null;
}

/** Reads the clocks of the processes, of this one and of the machine. */
export function cpuReading(pids: readonly number[], upstreamPid: number | null): CpuReading {
  const { user, system } = process.cpuUsage();
  const reading = {
    proxy: cpuOf(pids),
    upstream: upstreamPid === null ? null : cpuOf([upstreamPid]),
    generator: (user + system) / 1e6,
    machine: machineCpu(),
  };
  return { ...reading, since: (before) => difference(before, reading) };
}

function difference(before: Omit<CpuReading, 'since'>, after: Omit<CpuReading, 'since'>): Cpu {
  const proxy = minus(after.proxy, before.proxy);
  const upstream = minus(after.upstream, before.upstream);
  const generator = after.generator - before.generator;
  const { machine } = after;
  const known = before.machine;
  if (machine === null || known === null) {
    return { proxy, upstream, generator, others: null, steal: null };
  }
  const own = (proxy ?? 0) + (upstream ?? 0) + generator;
  const others = Math.max(0, machine.busy - known.busy - own);
  return { proxy, upstream, generator, others, steal: machine.steal - known.steal };
}

function minus(after: number | null, before: number | null): number | null {
  return after === null || before === null ? null : after - before;
}

/** Seconds of CPU that the processes have used, all their threads together. */
export function cpuOf(pids: readonly number[]): number | null {
  if (!LINUX) return null;
  return pids.reduce((sum, pid) => sum + threadsCpu(pid), 0);
}

/** Nanoseconds are the first figure of each thread's `schedstat`; a process that has ended has none. */
function threadsCpu(pid: number): number {
  let nanoseconds = 0;
  for (const thread of listing(`/proc/${pid}/task`)) {
    nanoseconds += Number(contents(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0);
  }
  return nanoseconds / 1e9;
}

/** Seconds since the machine started. */
function machineCpu(): CpuReading['machine'] {
  if (!LINUX) return null;
  const [, ...figures] = (contents('/proc/stat').split('\n')[0] ?? '').trim().split(/\s+/);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = figures.map(Number);
  return { busy: (user + nice + system + irq + softirq) / TICKS, steal: steal / TICKS };
}

/** Names in a folder of /proc; none where it is gone. */
export function listing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A file of /proc; empty where it is gone. */
export function contents(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
