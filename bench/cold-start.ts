/**
 * Where the time of a cold start goes: `node bench/cold-start.ts [STARTS]`. It looks at the processes of
 * `lanekeeper start` once a millisecond, so the program itself is as it is. Linux only.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contents, cpuOf } from './load/cpu.ts';
import { end } from './load/process.ts';
import { openRig } from './rig.ts';
import { firstAnswer } from './start-part.ts';
import { spreadText } from './statistics.ts';
import { buildLanekeeper, lanekeeper } from './targets/lanekeeper.ts';
import { makeCertificates } from './targets/site.ts';
import type { Plan } from './targets/types.ts';

/** Moments of a start, in their order. */
const MOMENTS = [
  ['version', 'the launcher has a Node, and asks for its version'],
  ['node', 'the launcher became Node'],
  ['worker', 'the supervisor has started a worker'],
  ['port', 'the port is open'],
  ['answer', 'the first answer came through'],
] as const;
type Moment = (typeof MOMENTS)[number][0];
type Start = Map<Moment, number>;

const STOP_MS_MAX = 5_000;

/** Numbers of the children of a process, by its main thread. */
function childrenOf(pid: number): number[] {
  return contents(`/proc/${pid}/task/${pid}/children`)
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

function commandOf(pid: number): string {
  return contents(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

/** @param cpu takes the CPU that each process has used until the first answer, ms */
async function observe(plan: Plan, cpu: Map<string, number[]>): Promise<Start> {
  const [command = '', ...args] = plan.command;
  const [port] = plan.ports;
  const moments: Start = new Map();
  const begun = performance.now();
  const note = (moment: Moment): void => {
    if (!moments.has(moment)) moments.set(moment, performance.now() - begun);
  };
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', ...plan.env },
    stdio: 'ignore',
  });
  const pid = child.pid ?? 0;
  try {
    while (!moments.has('port')) {
      const children = childrenOf(pid).map(commandOf);
      if (children.some((each) => each.includes('--version'))) note('version');
      if (commandOf(pid).includes('entry.mjs')) note('node');
      if (children.some((each) => each.includes('--worker'))) note('worker');
      if (await accepts(port)) note('port');
      if (child.exitCode !== null) throw new Error('the program has ended');
    }
    const access = plan.access().tls;
    if (access !== undefined) await firstAnswer(access);
    note('answer');
    for (const each of [pid, ...childrenOf(pid)]) {
      const name = commandOf(each).includes('--worker') ? 'worker' : 'supervisor';
      cpu.set(name, [...(cpu.get(name) ?? []), (cpuOf([each]) ?? 0) * 1000]);
    }
  } finally {
    await end(child, STOP_MS_MAX);
  }
  return moments;
}

/** Waits a millisecond at most. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.once('error', () => setTimeout(resolve, 1, false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function main(): Promise<void> {
  const starts = Number(process.argv[2] ?? 10);
  if (process.platform !== 'linux') throw new Error('this looks into /proc, which only Linux has');
  const work = mkdtempSync(join(tmpdir(), 'lanekeeper-bench-'));
  try {
    const certificates = await makeCertificates(join(work, 'certificates'));
    const rig = await openRig(certificates);
    const target = lanekeeper(await buildLanekeeper(join(work, 'lanekeeper')));
    const folder = join(work, 'site');
    mkdirSync(folder, { recursive: true });
    const all: Start[] = [];
    const cpu = new Map<string, number[]>();
    // The first makes the certificates, and the cache of compiled code.
    for (let start = 0; start <= starts; start += 1) {
      const plan = await target.plan({
        folder,
        certificates,
        upstreamPort: rig.ports.tlsPort,
        args: [],
      });
      const observed = await observe(plan, start === 0 ? new Map() : cpu);
      if (start > 0) all.push(observed);
    }
    await rig.close();
    print(all);
    for (const [name, ms] of cpu)
      console.log(`CPU of the ${name} until then, ms: ${spreadText(ms)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function print(all: readonly Start[]): void {
  let before = all.map(() => 0);
  console.log('ms from the start, and since the moment before: median (least–most)');
  for (const [moment, about] of MOMENTS) {
    // A launcher that knows its Node does not ask.
    if (!all.some((start) => start.has(moment))) continue;
    const times = all.map((start, index) => start.get(moment) ?? before[index] ?? 0);
    const steps = times.map((time, index) => time - (before[index] ?? 0));
    console.log(`${spreadText(times).padEnd(20)} +${spreadText(steps).padEnd(20)} ${about}`);
    before = times;
  }
}

await main();
