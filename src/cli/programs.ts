/** Asks other programs something short, with a bound on time and with no more environment than given. */
import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { PROGRAM_MS_MAX } from '../core/limits.ts';

const ANSWER_BYTES_MAX = 64 * 1024;

/** The path of a program on `PATH`, or null. */
export function findOnPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder === '' ? '.' : folder, name);
    if (isExecutableFile(path)) return path;
  }
  return null;
}

/** True for a file that may be run. */
export function isExecutableFile(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The first line that a program prints, or null where it fails, takes too long or says nothing. */
export function firstLineOf(
  path: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string | null> {
  return new Promise((resolve) => {
    const options = {
      env: { ...environment },
      timeout: PROGRAM_MS_MAX,
      killSignal: 'SIGKILL',
      maxBuffer: ANSWER_BYTES_MAX,
    } as const;
    execFile(path, args, options, (error, stdout) => {
      const line = stdout.split('\n', 1)[0]?.trim() ?? '';
      resolve(error !== null || line === '' ? null : line);
    });
  });
}
