/**
 * The files of the store: their names, their modes, bounded reading, and writing that is either whole
 * or not at all (a temporary file of mode 0600 from its creation, fsync, rename, fsync of the folder).
 *
 * Reading is synchronous: it is a few small files at the start, and the first use of the asynchronous
 * calls alone took longer than all the rest of it. It knows nothing of certificates.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isOfAnotherUser } from '../config/ownership.ts';
import { PEM_FILE_BYTES_MAX } from '../core/limits.ts';
import { PkiError, systemCode } from './errors.ts';

/** Absolute paths of what the store keeps. */
export interface StorePaths {
  readonly dir: string;
  readonly bundle: string;
  readonly leafCert: string;
  readonly leafKey: string;
  readonly lock: string;
}

/** The mode of the folder. */
export const DIR_MODE = 0o700;
/** The mode of the trust bundle, which clients read. */
export const PUBLIC_MODE = 0o644;
/** The mode of the leaf and its key. */
export const PRIVATE_MODE = 0o600;
/** What a file written but not yet in its place is called, after the name of that place. */
export const PENDING = '.new';

/** Where things lie in a store. */
export function storePaths(dir: string): StorePaths {
  const absolute = resolve(dir);
  return {
    dir: absolute,
    bundle: join(absolute, 'ca-cert.pem'),
    leafCert: join(absolute, 'leaf-cert.pem'),
    leafKey: join(absolute, 'leaf-key.pem'),
    lock: join(absolute, '.lock'),
  };
}

/** The permission bits of a file or folder, or null if it is not there. @throws PkiError `unreadable` */
export function modeOf(path: string): number | null {
  try {
    return statSync(path).mode & 0o777;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw unreadable(path, error);
  }
}

/**
 * Owners and modes that are looser than they may be, as errors with their mend; empty where all is tight.
 *
 * The folder and the key are nobody else's business; the certificates may be read but not written.
 * On Windows permission bits say nothing, so nothing is reported.
 */
export function looseModes(paths: StorePaths): readonly PkiError[] {
  if (process.platform === 'win32') return [];
  const rules = [
    [paths.dir, 0o077, DIR_MODE],
    [paths.leafKey, 0o077, PRIVATE_MODE],
    [paths.leafCert, 0o022, PRIVATE_MODE],
    [paths.bundle, 0o022, PUBLIC_MODE],
  ] as const;
  const errors: PkiError[] = [];
  for (const [path, forbidden, right] of rules) {
    const mode = modeOf(path);
    if (mode === null) continue;
    if (isOfAnotherUser(path)) {
      errors.push(
        new PkiError(
          'foreign_owner',
          `${path} belongs to another user, who could change whom clients trust: choose a home of your own with --home, or remove it`,
        ),
      );
      continue;
    }
    if ((mode & forbidden) === 0) continue;
    errors.push(
      new PkiError(
        'loose_mode',
        `${path} has mode ${modeText(mode)}, open to other users of this machine: \`chmod ${right.toString(8)} ${shellWord(path)}\``,
      ),
    );
  }
  return errors;
}

/** A path as one word of a shell command. */
export function shellWord(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** `0600` and the like. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/**
 * A small text file, or null if it is not there.
 *
 * @throws PkiError `damaged` for what is no regular file or too large, `unreadable`
 */
export function readText(path: string): string | null {
  try {
    // A pipe in the place of a file would hold up the reading, so the look comes first.
    const found = statSync(path);
    if (!found.isFile() || found.size > PEM_FILE_BYTES_MAX) {
      throw new PkiError(
        'damaged',
        `${path} is not a file of at most ${PEM_FILE_BYTES_MAX} bytes: move it away, or run \`lanekeeper ca rotate\``,
      );
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof PkiError) throw error;
    if (systemCode(error) === 'ENOENT') return null;
    throw unreadable(path, error);
  }
}

/** Makes the folder, for the owner alone, if it is not there. @throws PkiError `unwritable` */
export async function ensureDir(dir: string): Promise<void> {
  try {
    const first = await mkdir(dir, { recursive: true, mode: DIR_MODE });
    // The umask can only have taken bits of the owner's away.
    if (first !== undefined) await chmod(dir, DIR_MODE);
  } catch (error) {
    throw unwritable(dir, error);
  }
}

/** Writes a file that must not be there yet, to the disk. @throws PkiError `unwritable` */
export async function writeNew(path: string, text: string, mode: number): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', PRIVATE_MODE);
  } catch (error) {
    throw unwritable(path, error);
  }
  try {
    await file.writeFile(text);
    // Set on the open file: the mode given to `open` went through the umask.
    await file.chmod(mode);
    await file.sync();
  } catch (error) {
    await rm(path, { force: true });
    throw unwritable(path, error);
  } finally {
    await file.close();
  }
}

/** Puts a file in the place of another. @throws PkiError `unwritable` */
export async function moveInto(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    throw unwritable(to, error);
  }
}

/** Writes a file whole or not at all, whatever stood in its place. @throws PkiError `unwritable` */
export async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeNew(temporary, text, mode);
    await moveInto(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDir(dirname(path));
}

/** Makes renames in a folder durable, where the system can. */
export async function syncDir(dir: string): Promise<void> {
  // Windows opens no folder for this.
  if (process.platform === 'win32') return;
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes a file; true if it was there. @throws PkiError `unwritable` */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw unwritable(path, error);
  }
}

function unreadable(path: string, cause: unknown): PkiError {
  return new PkiError(
    'unreadable',
    `${path} cannot be read (${systemCode(cause) ?? 'unknown error'}): check its owner and the folders above it`,
    { cause },
  );
}

function unwritable(path: string, cause: unknown): PkiError {
  return new PkiError(
    'unwritable',
    `${path} cannot be written (${systemCode(cause) ?? 'unknown error'}): check its owner and free space, or choose another home with --home`,
    { cause },
  );
}
