/**
 * The token that the program makes for itself (`listen: { token: auto }`): random, one for a home, in
 * `run/token`, which only its owner can read. Whoever may read the home's other secrets may read it, and
 * every command of the home learns it so; it is on no command line and in no message.
 *
 * It stays until somebody removes the file, so that shells which have it in their environment go on
 * working when the proxy is started anew.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isTrustedOwner } from './ownership.ts';

/** Random bytes of a token; it is twice as long, in hex. */
const TOKEN_BYTES = 32;
const TOKEN = /^[0-9a-f]{64}\n$/;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OTHERS = 0o077;

/** Where the token of a home lies. */
export function ownTokenPath(home: string): string {
  return join(home, 'run', 'token');
}

/**
 * The token of a home, made where there is none. Of several processes that make it at once, one wins, and
 * all get the same.
 *
 * @throws Error with a message for people where the file is not what it should be; a system error
 */
export function ownToken(home: string): string {
  const path = ownTokenPath(home);
  const found = readOwnToken(home);
  if (found !== null) return found;
  mkdirSync(join(home, 'run'), { recursive: true, mode: DIRECTORY_MODE });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, `${randomBytes(TOKEN_BYTES).toString('hex')}\n`, {
    flag: 'wx',
    mode: FILE_MODE,
  });
  try {
    // Whole or not at all, and never over one that is there.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const made = readOwnToken(home);
  if (made === null) throw new Error(`${path} was removed just now; try again`);
  return made;
}

/** The token of a home, null where there is none. @throws as `ownToken` */
export function readOwnToken(home: string): string | null {
  const path = ownTokenPath(home);
  let file: number;
  try {
    // A link could lead to a file of somebody else's choice; a pipe would hold up the reading.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new Error(code === 'ELOOP' ? `${path} is a link` : `${path} can not be read (${code})`);
  }
  try {
    const found = fstatSync(file);
    const { uid, mode } = found;
    if (!found.isFile()) throw new Error(`${path} is no file`);
    if (!isTrustedOwner(uid, process.getuid?.()))
      throw new Error(`${path} belongs to another user`);
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
      throw new Error(`${path} is open to other users of this machine`);
    }
    const text = readFileSync(file, 'utf8');
    if (!TOKEN.test(text)) throw new Error(`${path} holds no token`);
    return text.trimEnd();
  } finally {
    closeSync(file);
  }
}
