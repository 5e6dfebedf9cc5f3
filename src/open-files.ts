/** How many clients fit into the file descriptors that the system allows this process. */
import { readFileSync } from 'node:fs';
import { CLIENT_CONNECTIONS_MAX, OWN_FILES } from './core/limits.ts';

/**
 * Clients' connections at once: each may need another one to an upstream. Beyond, a client is told so,
 * which it would not be where descriptors were used up.
 *
 * @param files descriptors that may be open, default as the system has it
 */
export function clientConnectionsMax(files: number = openFilesMax()): number {
  const pairs = Math.floor((files - OWN_FILES) / 2);
  return Math.max(1, Math.min(CLIENT_CONNECTIONS_MAX, pairs));
}

/** Infinite where there is no limit, or it is not told. */
function openFilesMax(): number {
  const told = process.platform === 'linux' ? limitsOfLinux() : limitsOfReport();
  return typeof told === 'number' && told > 0 ? told : Number.POSITIVE_INFINITY;
}

/** 50 µs in place of the milliseconds of a report. */
function limitsOfLinux(): number | null {
  try {
    const [, soft] =
      /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

function limitsOfReport(): number | string | null {
  // Else it would ask name servers for the peers of open sockets.
  const report = Object.assign(process.report, { excludeNetwork: true });
  const found = report.getReport() as unknown as Report;
  return found.userLimits?.open_files?.soft ?? null;
}

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}
