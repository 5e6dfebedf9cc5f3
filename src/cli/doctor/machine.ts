/** Checks of the machine: its Node, its clock, the home. */
import { closeSync, mkdirSync, openSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { PACKAGE_ROOT } from '../package-info.ts';
import { error, type Finding, ok, warn } from './finding.ts';

const NODE_MAJOR_MIN = 22;
const NODE_MINOR_MIN = 19;
/** What a full ledger takes up at most is far less; below this a busy day may fill the disk. */
const FREE_BYTES_MIN = 200 * 1024 * 1024;
const DAY_MS = 86_400_000;
/** A clock that is decades off is as wrong as one that stands still. */
const FUTURE_MS_MAX = 20 * 365 * DAY_MS;

export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNewEnough =
    major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN);
  if (isNewEnough) return ok('node', `Node ${version}`);
  const mend = `use Node ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer; bin/lanekeeper finds the one that npm ci brings`;
  return error('node', `Node ${version} is too old`, mend);
}

/** Without a network only gross errors show: a clock before the program was installed, or decades after. */
export function checkClock(now: number = Date.now()): Finding {
  const installed = statSync(join(PACKAGE_ROOT, 'package.json')).mtimeMs;
  const shown = new Date(now).toISOString();
  if (now >= installed - DAY_MS && now <= installed + FUTURE_MS_MAX) {
    return ok('clock', `the clock says ${shown}`);
  }
  const mend = 'set the clock: certificates are judged by it';
  return error('clock', `the clock says ${shown}, which does not fit this installation`, mend);
}

/** The ledger must be writable, with room for a while. */
export function checkLedger(home: string): Finding {
  const folder = join(home, 'logs');
  const path = join(folder, 'usage.jsonl');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    const mend = `make ${folder} writable for you, or choose another home with --home`;
    return error('ledger', `${path} can not be written (${code})`, mend);
  }
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < FREE_BYTES_MIN) {
    const mend = 'make room; records that find none are counted as dropped';
    return warn(
      'ledger',
      `less than ${FREE_BYTES_MIN / 1024 / 1024} MiB are free for ${path}`,
      mend,
    );
  }
  return ok('ledger', `${path} is writable`);
}
