/** Programs of Debian that a comparison or a test needs: found, or installed with apt-get where that may be done. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALL_MS_MAX = 240_000;
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'];

/** The environment of every program that is started: nothing of the machine's. */
export const BARE_ENV = { PATH: FOLDERS.join(':'), LANG: 'C.UTF-8' } as const;

/** Where a program is, or null. */
export function programOf(name: string): string | null {
  const found = FOLDERS.map((folder) => `${folder}/${name}`).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ?? null;
}

/** What a program prints; null where it fails. */
export async function outputOf(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await run(program, [...args], { env: BARE_ENV });
    return stdout + stderr;
  } catch {
    return null;
  }
}

/** Installs packages; false where that is not possible here. */
export async function install(...packages: readonly string[]): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const options = {
    timeout: INSTALL_MS_MAX,
    env: { ...BARE_ENV, PATH: `${BARE_ENV.PATH}:/sbin:/bin`, DEBIAN_FRONTEND: 'noninteractive' },
  };
  try {
    await run('apt-get', ['update', '-qq'], options);
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options);
    return true;
  } catch {
    return false;
  }
}
