/**
 * The three files of an authority (trust bundle, leaf, leaf key) read as one thing and checked to
 * belong together, with what the runtime itself brings: start-up loads no X.509 library for it.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { PkiError } from './errors.ts';
import { PENDING, readText, type StorePaths } from './files.ts';

/** A set of files that belong together: the key is the leaf's, the leaf is the first authority's. */
export interface Triple {
  readonly ca: X509Certificate;
  /** Former authorities, as they stand in the bundle after the current one. */
  readonly former: readonly X509Certificate[];
  readonly leaf: X509Certificate;
  readonly leafCertPem: string;
  readonly leafKeyPem: string;
}

const ROTATE = 'run `lanekeeper ca rotate`';
const BLOCK =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/**
 * Reads and checks the three files.
 *
 * @param pending takes a file that was written but not yet moved into its place (`.new`) for the
 *   file, where there is one
 * @returns null if none of the three is there
 * @throws PkiError `unreadable`, `incomplete`, `damaged`, `mismatch`
 */
export function readTriple(paths: StorePaths, pending = false): Triple | null {
  const read = (path: string) => (pending ? readText(path + PENDING) : null) ?? readText(path);
  const bundle = read(paths.bundle);
  const leafCertPem = read(paths.leafCert);
  const leafKeyPem = read(paths.leafKey);
  if (bundle === null && leafCertPem === null && leafKeyPem === null) return null;
  if (bundle === null || leafCertPem === null || leafKeyPem === null) {
    const names = [paths.bundle, paths.leafCert, paths.leafKey];
    const missing = names.filter((_, i) => [bundle, leafCertPem, leafKeyPem][i] === null);
    throw new PkiError('incomplete', `missing: ${missing.join(', ')}: ${ROTATE}`);
  }
  const [ca, ...former] = certificatesOf(bundle, paths.bundle);
  const [leaf] = certificatesOf(leafCertPem, paths.leafCert);
  if (ca === undefined || leaf === undefined) {
    const path = ca === undefined ? paths.bundle : paths.leafCert;
    throw new PkiError('damaged', `${path} holds no certificate: ${ROTATE}`);
  }
  if (!leaf.checkPrivateKey(keyOf(leafKeyPem, paths.leafKey))) {
    throw new PkiError(
      'mismatch',
      `${paths.leafKey} is not the key of ${paths.leafCert}: ${ROTATE}`,
    );
  }
  if (!(ca.ca && leaf.checkIssued(ca) && leaf.verify(ca.publicKey))) {
    throw new PkiError(
      'mismatch',
      `${paths.leafCert} was not issued by the first authority of ${paths.bundle}: ${ROTATE}`,
    );
  }
  return { ca, former, leaf, leafCertPem, leafKeyPem };
}

/** As `readTriple`, with null also for what it would throw. */
export function readSoundTriple(paths: StorePaths, pending = false): Triple | null {
  try {
    return readTriple(paths, pending);
  } catch {
    return null;
  }
}

/** The texts of the certificates of a PEM file, in order; whatever else it holds is left out. */
export function certificateBlocks(pem: string): readonly string[] {
  return pem.match(BLOCK) ?? [];
}

/** The certificate in a PEM block, or null if it is none. */
export function parseCertificate(block: string): X509Certificate | null {
  try {
    return new X509Certificate(block);
  } catch {
    return null;
  }
}

/**
 * The hosts of a leaf, sorted, or null if its alternative names hold anything but DNS names.
 */
export function hostsOf(leaf: X509Certificate): readonly string[] | null {
  const hosts: string[] = [];
  for (const name of leaf.subjectAltName?.split(', ') ?? []) {
    if (!name.startsWith('DNS:')) return null;
    hosts.push(name.slice('DNS:'.length));
  }
  return hosts.sort();
}

/** When the first of the two ends. */
export function endOf({ ca, leaf }: Triple): Date {
  return ca.validToDate < leaf.validToDate ? ca.validToDate : leaf.validToDate;
}

/** When the later of the two begins. */
export function startOf({ ca, leaf }: Triple): Date {
  return ca.validFromDate > leaf.validFromDate ? ca.validFromDate : leaf.validFromDate;
}

function certificatesOf(pem: string, path: string): readonly X509Certificate[] {
  const blocks = certificateBlocks(pem);
  const certificates = blocks.flatMap((block) => parseCertificate(block) ?? []);
  // A block without its end is no block; clients stop reading there.
  if (certificates.length !== pem.split('-----BEGIN ').length - 1) {
    throw new PkiError('damaged', `${path} holds a damaged certificate: ${ROTATE}`);
  }
  return certificates;
}

function keyOf(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is left out: it could quote the file.
    throw new PkiError('damaged', `${path} holds no readable private key: ${ROTATE}`);
  }
}
