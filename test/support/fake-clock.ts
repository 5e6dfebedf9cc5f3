/**
 * A wall clock of its own for a process and its children (libfaketime), which jumps when it is told to; the
 * monotonic clock stays what it is.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Cleanup, tempHome } from './home.ts';
import { installPackage } from './packages.ts';

export interface FakeClock {
  /** For the process. */
  readonly env: Readonly<Record<string, string>>;
  /** Sets it that many seconds before or after the real one. */
  jump(seconds: number): void;
}

/** Makes one; or says why there can be none. */
export async function fakeClock(context: Cleanup): Promise<FakeClock | string> {
  const library = installed() ?? ((await installPackage('faketime')) ? installed() : null);
  if (library === null) return 'there is no libfaketime, and it can not be installed here';
  const file = path.join(await tempHome(context), 'offset');
  const jump = (seconds: number): void => {
    writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  };
  jump(0);
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DONT_RESET: '1',
    // Files keep the times that the system gives them.
    NO_FAKE_STAT: '1',
  };
  return { env, jump };
}

function installed(): string | null {
  const root = '/usr/lib';
  if (!existsSync(root)) return null;
  const folders = [root, ...readdirSync(root).map((name) => path.join(root, name))];
  const candidates = folders.map((folder) => path.join(folder, 'faketime', 'libfaketimeMT.so.1'));
  return candidates.find((candidate) => existsSync(candidate)) ?? null;
}
