/** Processes of a measurement: pinned to a core where the system can, spoken to over IPC, ended by their id. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** The core of the proxy, and that of the upstream and the generator. */
export type Core = 'proxy' | 'rig';

/** Whether processes can be kept to a core: `taskset` is there, and both cores are ours to use. */
export const PINS: boolean =
  availableParallelism() > 1 &&
  ['0', '1'].every((core) => spawnSync('taskset', ['-c', core, 'true']).status === 0);

/** The command that keeps another to a core, or to nothing. */
export function pinned(core: Core | null, command: readonly string[]): string[] {
  if (!PINS || core === null) return [...command];
  return ['taskset', '-c', core === 'proxy' ? '0' : '1', ...command];
}

/** A process of ours: one order, one result, in turn. */
export interface Servant<Order> {
  readonly pid: number;
  /** @throws Error (rejected) when the process has ended */
  ask<Result>(order: Order): Promise<Result>;
  close(): Promise<void>;
}

/** Starts a module of ours as a process that takes orders. */
export function startServant<Order>(module: string, core: Core | null): Servant<Order> {
  const [command = '', ...args] = pinned(core, [process.execPath, module]);
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    ask: async <Result>(order: Order) => {
      const answered = once(child, 'message');
      child.send(order as object);
      const result: unknown = await Promise.race([
        answered.then(([message]) => message as unknown),
        ended.then(() => Promise.reject(new Error(`${module} has ended`))),
      ]);
      return result as Result;
    },
    close: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** Ends a process and waits until it has. SIGKILL after `graceMs`. */
export async function end(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(timer);
}
