/**
 * Trust for a client that has extra roots of its own: `NODE_EXTRA_CA_CERTS` names one file only, so
 * theirs and ours have to stand in one.
 *
 * Only certificates are taken from the user's file, each that can be read: the runtime stops at the
 * first that it cannot read, and would lose ours behind it; a key in the file stays there.
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { readdir, stat, utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { TRUST_FILES_MAX } from '../core/limits.ts';
import { PkiError } from './errors.ts';
import { ensureDir, PUBLIC_MODE, readText, removeFile, writeWhole } from './files.ts';
import { certificateBlocks, parseCertificate } from './triple.ts';

const TRUST_FILE = /^trust-[0-9a-f]{16}\.pem(?:\.[0-9a-f]{12}\.tmp)?$/;

/** True for the name of a file that `combineTrust` writes, half-written ones included. */
export function isTrustFile(name: string): boolean {
  return TRUST_FILE.test(name);
}

/**
 * The file to name in `NODE_EXTRA_CA_CERTS`: the bundle itself, or, where the user already names
 * another readable file with certificates in it, a new file that holds both.
 *
 * The new file's name depends on what is in it, so that two shells with different files of their own
 * do not take each other's away.
 *
 * @param dirToWrite where a combined file goes (made if it is not there)
 * @param bundlePath our trust bundle
 * @param userExtraCa the user's own value of `NODE_EXTRA_CA_CERTS`
 * @returns an absolute path
 * @throws PkiError `unreadable` or `damaged` for our bundle, `unwritable`
 */
export async function combineTrust(
  dirToWrite: string,
  bundlePath: string,
  userExtraCa: string | undefined,
): Promise<string> {
  const bundle = resolve(bundlePath);
  if (userExtraCa === undefined || userExtraCa === '') return bundle;
  const ours = readText(bundle);
  if (ours === null) {
    throw new PkiError('unreadable', `${bundle} is not there: run \`lanekeeper ca rotate\``);
  }
  const theirs = readTheirs(userExtraCa, bundle);
  if (theirs === null) return bundle;
  const certificates = new Map<string, string>();
  for (const block of [...certificateBlocks(ours), ...certificateBlocks(theirs)]) {
    const certificate = parseCertificate(block);
    if (certificate !== null) certificates.set(certificate.fingerprint256, certificate.toString());
  }
  if (certificates.size === certificateBlocks(ours).length) return bundle;
  return keep(resolve(dirToWrite), [...certificates.values()].join(''));
}

/** The user's file, or null if it is ours, missing, unreadable or not a file. */
function readTheirs(path: string, bundle: string): string | null {
  try {
    const real = realpathSync(path);
    return real === realpathSync(bundle) ? null : readText(real);
  } catch {
    return null;
  }
}

async function keep(dir: string, text: string): Promise<string> {
  await ensureDir(dir);
  const digest = createHash('sha256').update(text).digest('hex');
  const path = join(dir, `trust-${digest.slice(0, 16)}.pem`);
  if (readText(path) === text) {
    const now = new Date();
    await utimes(path, now, now);
  } else {
    await writeWhole(path, text, PUBLIC_MODE);
  }
  await prune(dir);
  return path;
}

async function prune(dir: string): Promise<void> {
  const files: { readonly path: string; readonly used: number }[] = [];
  for (const name of await readdir(dir)) {
    if (!isTrustFile(name)) continue;
    const path = join(dir, name);
    // Another process may have pruned it meanwhile.
    const found = await stat(path).catch(() => null);
    if (found !== null) files.push({ path, used: found.mtimeMs });
  }
  files.sort((a, b) => b.used - a.used);
  for (const { path } of files.slice(TRUST_FILES_MAX)) await removeFile(path);
}
