/** What the system tells of processes and of sockets; only Linux tells all of it. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** True while a process runs. One that has ended and was not waited for is none. */
export function isLiving(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // The name, in parentheses, may hold anything; the state follows it (proc(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return true;
  }
}

const LISTEN = '0A';
const TIME_WAIT = '06';

/**
 * Sockets of this machine whose own end is at a port, but for those that listen and those that both
 * ends have closed. Null where the system does not tell.
 */
export async function socketsAt(port: number): Promise<number | null> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  let count = 0;
  try {
    for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
      for (const line of (await readFile(file, 'latin1')).split('\n').slice(1)) {
        const [, local = '', , state = ''] = line.trim().split(/\s+/);
        if (local.endsWith(`:${hex}`) && state !== LISTEN && state !== TIME_WAIT) count += 1;
      }
    }
  } catch {
    return null;
  }
  return count;
}
