/**
 * Sees to it that processes and their folder do not outlive this one, however it ends: a small shell
 * that is told their ids, kills those that are left when its input ends, which it does when this process
 * is gone, and removes the folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

/** Guards processes that were started here. */
export interface Guard {
  /** Takes a process under guard until it is gone. */
  watch(child: ChildProcess): void;
  /** Kills what is left, and removes the folder. */
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
exec rm -rf "$1"
`;

/**
 * Starts one. Without a shell on the machine it does its work only where it is closed.
 *
 * @param folder where the processes live; nothing else may be in it
 */
export function startGuard(folder: string): Guard {
  const running = new Set<ChildProcess>();
  // A session of its own: no signal of the terminal reaches it before its work is done.
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'guard', folder], {
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
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
