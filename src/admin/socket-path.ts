/**
 * Where the control socket of a home lies: `HOME/run/admin.sock`, or, where that path is too long
 * for a Unix socket, a directory under the system's temporary one, named by a hash of the home.
 *
 * The temporary directory is shared with other users, so that directory is used only if it is ours
 * and nobody else can enter it; otherwise another user could answer in the proxy's place.
 */
import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { SOCKET_PATH_BYTES_MAX } from '../core/limits.ts';
import { ControlError } from './types.ts';

const SOCKET_NAME = 'admin.sock';
const HASH_CHARACTERS = 16;
const OTHERS_BITS = 0o077;

/** The path of the control socket of a home (absolute or relative to the working directory). */
export function socketPath(home: string): string {
  const direct = join(resolve(home), 'run', SOCKET_NAME);
  if (Buffer.byteLength(direct) <= SOCKET_PATH_BYTES_MAX) return direct;
  return join(shortDirectory(home), SOCKET_NAME);
}

/**
 * Makes the directory of a control socket, entered by nobody but us.
 *
 * @throws ControlError `unsafe_directory` where the directory belongs to somebody else
 */
export function prepareSocketDirectory(path: string): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const owner = lstatSync(directory);
  if (!owner.isDirectory() || !isOurs(owner.uid)) throw unsafe(directory);
  if ((owner.mode & OTHERS_BITS) !== 0) chmodSync(directory, 0o700);
}

/**
 * Checks before connecting that nobody else could have put the socket there.
 *
 * @throws ControlError `unsafe_directory`; a directory that does not exist is no error
 */
export function checkSocketDirectory(path: string): void {
  const directory = dirname(path);
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory() || !isOurs(found.uid)) throw unsafe(directory);
}

function shortDirectory(home: string): string {
  // Fetched where it is needed: it costs a start 5 ms, and the path is seldom too long.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const hash = createHash('sha256').update(realPath(home)).digest('hex').slice(0, HASH_CHARACTERS);
  return join(tmpdir(), `lanekeeper-${process.getuid?.() ?? 0}-${hash}`);
}

/** The home may not exist yet, and two names of one home must give one socket where it does. */
function realPath(home: string): string {
  try {
    return realpathSync(home);
  } catch {
    return resolve(home);
  }
}

function isOurs(uid: number): boolean {
  const own = process.getuid?.();
  return own === undefined || uid === own;
}

function unsafe(directory: string): ControlError {
  return new ControlError(
    'unsafe_directory',
    `${directory} belongs to another user; remove it, or choose another home with --home`,
  );
}
