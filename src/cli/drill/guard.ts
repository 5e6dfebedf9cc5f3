/**
 * Sees to it that processes do not outlive this one, however it ends: a small shell that is told their
 * ids and kills those that are left when its input ends, which it does when this process is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** Guards processes that were started here. */
export interface Guard {
  /** Takes a process under guard until it is gone. */
  watch(child: ChildProcess): void;
  /** Kills what is left. */
  close(): void;
}

const SCRIPT = `
left=
while read -r what pid; do
  kept=
  for one in $left; do [ "$one" = "$pid" ] || kept="$kept $one"; done
  left=$kept
  [ "$what" = began ] && left="$left $pid"
done
for one in $left; do kill -9 "$one"; done
`;

/** Starts one. It needs a shell; without one only those are killed that an orderly end can reach. */
export function startGuard(): Guard {
  const running = new Set<ChildProcess>();
  // A session of its own: no signal of the terminal reaches it before its work is done.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: {},
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return {
    watch: (child) => {
      const { pid } = child;
      if (pid === undefined) return;
      running.add(child);
      shell.stdin.write(`began ${pid}\n`);
      child.once('exit', () => {
        running.delete(child);
        shell.stdin.write(`ended ${pid}\n`);
      });
    },
    close: () => {
      for (const child of running) child.kill('SIGKILL');
      shell.stdin.end();
    },
  };
}
