/**
 * The authority on disk: taken as it is while it is good, replaced as a whole when it is not.
 *
 * Replacing writes three files, which no rename can do at once. So all three are written beside
 * their places first (`.new`), then moved one by one, the bundle first, under a lock; a process that
 * dies in between leaves a set that the next one completes, and a reader that comes in between sees
 * that the files do not belong together and waits for the lock.
 *
 * What is damaged or open to other users is an error, not mended in silence: somebody should look.
 */
import type { X509Certificate } from 'node:crypto';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CA_KEPT_MAX, CA_RENEW_MS } from '../core/limits.ts';
import { AUTHORITY_NAME, mintAuthority } from './authority.ts';
import { PkiError, systemCode } from './errors.ts';
import {
  ensureDir,
  looseModes,
  modeOf,
  moveInto,
  PENDING,
  PRIVATE_MODE,
  PUBLIC_MODE,
  readText,
  removeFile,
  type StorePaths,
  storePaths,
  syncDir,
  writeNew,
} from './files.ts';
import { normaliseHosts } from './hosts.ts';
import { breakPath, withLock } from './lock.ts';
import {
  certificateBlocks,
  endOf,
  hostsOf,
  parseCertificate,
  readSoundTriple,
  readTriple,
  startOf,
  type Triple,
} from './triple.ts';
import { isTrustFile } from './trust.ts';

/** What the edge needs to terminate TLS for the intercepted hosts, and clients to trust it. */
export interface Authority {
  /** In lower case, sorted. */
  readonly hosts: readonly string[];
  /** Absolute path of the trust bundle, for `NODE_EXTRA_CA_CERTS`. */
  readonly bundlePath: string;
  readonly leafCertPem: string;
  /** A secret. */
  readonly leafKeyPem: string;
  /** When the leaf or its authority ends, whichever is first. */
  readonly notAfter: Date;
  /** SHA-256 of the current authority's certificate, `AB:CD:…`. */
  readonly fingerprint256: string;
  /** What was done and people should know; empty where the files were good. */
  readonly notes: readonly string[];
}

/** For tests: another time than now. */
export interface StoreOptions {
  readonly now?: Date;
}

/**
 * The authority for exactly these hosts: the one on disk while it is good for at least 30 days more,
 * else a new one, whose bundle keeps the former certificates that have not ended (at most three).
 *
 * Safe to call at once from several processes: all get the same authority.
 *
 * @param dir the folder of the store; made if it is not there
 * @throws PkiError
 */
export async function openAuthority(
  dir: string,
  hosts: readonly string[],
  options: StoreOptions = {},
): Promise<Authority> {
  const paths = storePaths(dir);
  const wanted = normaliseHosts(hosts);
  const now = options.now ?? new Date();
  refuseLooseModes(paths);
  const quick = readSoundTriple(paths);
  if (quick !== null && reasonToReplace(quick, wanted, now) === null) {
    return toAuthority(quick, wanted, paths, []);
  }
  return whileLocked(paths, async () => {
    const present = readTriple(paths);
    const reason = present === null ? null : reasonToReplace(present, wanted, now);
    if (present !== null && reason === null) return toAuthority(present, wanted, paths, []);
    const former = present === null ? [] : [present.ca, ...present.former];
    return replace(paths, wanted, now, former, reason);
  });
}

/**
 * A new authority for these hosts, whatever is there: also the mend for damaged files. Of a bundle
 * that can be read, our own certificates that have not ended are kept.
 *
 * @throws PkiError
 */
export async function rotateAuthority(
  dir: string,
  hosts: readonly string[],
  options: StoreOptions = {},
): Promise<Authority> {
  const paths = storePaths(dir);
  const wanted = normaliseHosts(hosts);
  const now = options.now ?? new Date();
  refuseLooseModes(paths);
  return whileLocked(paths, async () => {
    const former = certificateBlocks(readWhatCanBe(paths.bundle)).flatMap(
      (block) => parseCertificate(block) ?? [],
    );
    return replace(paths, wanted, now, former, 'it was asked for');
  });
}

/**
 * Removes the files of the store, and the folder if nothing else is in it.
 *
 * @returns the absolute paths of what was removed
 * @throws PkiError
 */
export async function removeAuthority(dir: string): Promise<readonly string[]> {
  const paths = storePaths(dir);
  if (modeOf(paths.dir) === null) return [];
  const removed: string[] = [];
  await withLock(paths.lock, async () => {
    const trust = (await readdir(paths.dir))
      .filter(isTrustFile)
      .map((name) => join(paths.dir, name));
    const own = placesOf(paths).flatMap((place) => [place, place + PENDING]);
    for (const path of [...own, ...trust, breakPath(paths.lock)]) {
      if (await removeFile(path)) removed.push(path);
    }
    await syncDir(paths.dir);
  });
  try {
    await rmdir(paths.dir);
    removed.push(paths.dir);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(systemCode(error) ?? '')) throw error;
  }
  return removed;
}

function readWhatCanBe(path: string): string {
  try {
    return readText(path) ?? '';
  } catch {
    return '';
  }
}

async function whileLocked(paths: StorePaths, work: () => Promise<Authority>): Promise<Authority> {
  await ensureDir(paths.dir);
  // Somebody else may have been quicker to make the folder.
  refuseLooseModes(paths);
  return withLock(paths.lock, async () => {
    await finishInterrupted(paths);
    return work();
  });
}

function refuseLooseModes(paths: StorePaths): void {
  const [first] = looseModes(paths);
  if (first !== undefined) throw first;
}

/** Why the files, sound as they are, do not serve any longer; null if they do. */
function reasonToReplace(triple: Triple, wanted: readonly string[], now: Date): string | null {
  const hosts = hostsOf(triple.leaf);
  if (hosts === null || hosts.join() !== wanted.join()) {
    return 'the intercepted hosts have changed';
  }
  if (endOf(triple).getTime() - now.getTime() < CA_RENEW_MS) return 'the former one ends soon';
  if (startOf(triple) > now) return 'the former one is dated in the future';
  return null;
}

async function replace(
  paths: StorePaths,
  hosts: readonly string[],
  now: Date,
  candidates: readonly X509Certificate[],
  reason: string | null,
): Promise<Authority> {
  const former = await worthKeeping(candidates, now);
  const minted = await mintAuthority({ hosts, now });
  const bundle = [minted.caCertPem, ...former.map((certificate) => certificate.toString())];
  await writePending(paths.bundle, bundle.join(''), PUBLIC_MODE);
  await writePending(paths.leafCert, minted.leafCertPem, PRIVATE_MODE);
  await writePending(paths.leafKey, minted.leafKeyPem, PRIVATE_MODE);
  for (const place of placesOf(paths)) await moveInto(place + PENDING, place);
  await syncDir(paths.dir);

  const written = readTriple(paths);
  if (written === null || written.leafKeyPem !== minted.leafKeyPem) {
    throw new PkiError('unwritable', `${paths.dir} does not hold what was just written to it`);
  }
  return toAuthority(written, hosts, paths, notesOf(reason, former.length));
}

/** Our own authorities that have not ended, newest first; a foreign one is never carried over. */
async function worthKeeping(
  candidates: readonly X509Certificate[],
  now: Date,
): Promise<readonly X509Certificate[]> {
  if (candidates.length === 0) return [];
  const { constraintsText } = await import('./certificate.ts');
  return candidates
    .filter(
      (certificate) =>
        certificate.ca &&
        certificate.validToDate > now &&
        certificate.subject.includes(`CN=${AUTHORITY_NAME}`) &&
        constraintsText(certificate.raw)?.startsWith('critical') === true,
    )
    .slice(0, CA_KEPT_MAX);
}

async function writePending(place: string, text: string, mode: number): Promise<void> {
  await removeFile(place + PENDING);
  await writeNew(place + PENDING, text, mode);
}

/** Completes what a process that died while replacing left behind, or clears it away. */
async function finishInterrupted(paths: StorePaths): Promise<void> {
  const pending = placesOf(paths).filter((place) => modeOf(place + PENDING) !== null);
  if (pending.length === 0) return;
  const complete = readSoundTriple(paths, true);
  for (const place of pending) {
    if (complete === null) await removeFile(place + PENDING);
    else await moveInto(place + PENDING, place);
  }
  await syncDir(paths.dir);
}

/** In the order of moving: clients that start in between must know the new authority already. */
function placesOf(paths: StorePaths): readonly string[] {
  return [paths.bundle, paths.leafKey, paths.leafCert];
}

function notesOf(reason: string | null, kept: number): readonly string[] {
  if (reason === null) return [];
  const notes = [
    `made a new certificate authority (${reason}): restart agents that are running, they trust the former one only`,
  ];
  if (kept > 0)
    notes.push(`the trust bundle keeps ${kept} former, so that open proxies still serve`);
  return notes;
}

function toAuthority(
  triple: Triple,
  hosts: readonly string[],
  paths: StorePaths,
  notes: readonly string[],
): Authority {
  return {
    hosts,
    bundlePath: paths.bundle,
    leafCertPem: triple.leafCertPem,
    leafKeyPem: triple.leafKeyPem,
    notAfter: endOf(triple),
    fingerprint256: triple.ca.fingerprint256,
    notes,
  };
}
