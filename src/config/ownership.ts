/**
 * Whose a file is. What another user owns, that user can change at any time, whatever its mode says now:
 * it decides nothing here.
 */
import { statSync } from 'node:fs';

/**
 * True for an owner whose files this process may rely on: itself and root. Root may rely on everybody's,
 * since in a container the mounted home of a person is another user's.
 *
 * @param owner user id of the file
 * @param own user id of this process, undefined where the system has none (Windows)
 */
export function isTrustedOwner(owner: number, own: number | undefined): boolean {
  return own === undefined || own === 0 || owner === own || owner === 0;
}

/** True where the path exists and belongs to somebody else; links are followed. */
export function isOfAnotherUser(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !isTrustedOwner(found.uid, process.getuid?.());
}

/** True where the path exists and every user of the machine may put something into it. */
export function isWritableByAll(path: string): boolean {
  if (process.platform === 'win32') return false;
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && (found.mode & OTHERS_WRITE) !== 0;
}

const OTHERS_WRITE = 0o002;
