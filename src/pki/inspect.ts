/**
 * What the store holds, told for people (`ca show`, `doctor`): it changes nothing, takes no lock, and
 * lists everything that is wrong where opening stops at the first.
 */
import type { X509Certificate } from 'node:crypto';
import { CA_RENEW_MS } from '../core/limits.ts';
import { PkiError, type PkiErrorCode } from './errors.ts';
import { looseModes, modeOf, modeText, type StorePaths, storePaths } from './files.ts';
import { endOf, hostsOf, readTriple, startOf, type Triple } from './triple.ts';

/** A certificate of the trust bundle. */
export interface BundleEntry {
  readonly subject: string;
  /** SHA-256, `AB:CD:…`. */
  readonly fingerprint256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The name constraints as text, or null where it has none (then it is none of ours). */
  readonly constraints: string | null;
  /** The authority of the leaf; the others are former ones, kept for an overlap. */
  readonly current: boolean;
}

/** A file or folder of the store. */
export interface FileFact {
  readonly path: string;
  /** `0600`; null if it is not there. */
  readonly mode: string | null;
}

/** Something to mend; `message` says how. */
export interface Problem {
  /**
   * A code of `PkiError`, or: `expired`, `expiring` and `not_yet_valid` (the next start replaces the
   * authority by itself), `unconstrained` (a certificate of the bundle may sign for any name).
   */
  readonly code: PkiErrorCode | 'expired' | 'expiring' | 'not_yet_valid' | 'unconstrained';
  readonly message: string;
}

/** The state of a store. */
export interface AuthorityFacts {
  readonly dir: string;
  /** False if there is nothing yet: no problem, the first start makes it. */
  readonly present: boolean;
  /** The hosts of the leaf; empty where it cannot be read. */
  readonly hosts: readonly string[];
  /** Of the current authority; null where it cannot be read, as the three that follow. */
  readonly fingerprint256: string | null;
  readonly notBefore: Date | null;
  readonly notAfter: Date | null;
  readonly constraints: string | null;
  readonly bundlePath: string;
  readonly bundle: readonly BundleEntry[];
  readonly files: readonly FileFact[];
  readonly problems: readonly Problem[];
}

/**
 * The facts of a store. Whatever is wrong is told in `problems`, not thrown.
 *
 * @param options.now for tests: another time than now
 */
export async function inspectAuthority(
  dir: string,
  options: { readonly now?: Date } = {},
): Promise<AuthorityFacts> {
  const paths = storePaths(dir);
  const problems: Problem[] = [];
  let triple: Triple | null = null;
  const files: FileFact[] = [];
  try {
    for (const path of [paths.dir, paths.bundle, paths.leafCert, paths.leafKey]) {
      files.push(fileFact(path));
    }
    problems.push(...looseModes(paths).map(asProblem));
    triple = readTriple(paths);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    problems.push(asProblem(error));
  }
  const bundle = triple === null ? [] : await bundleEntries(triple);
  const current = bundle[0] ?? null;
  if (triple !== null) {
    problems.push(...timeProblems(triple, options.now ?? new Date()));
    problems.push(...constraintProblems(bundle, paths));
  }
  return {
    dir: paths.dir,
    present: triple !== null || problems.length > 0,
    hosts: triple === null ? [] : (hostsOf(triple.leaf) ?? []),
    fingerprint256: current?.fingerprint256 ?? null,
    notBefore: triple === null ? null : startOf(triple),
    notAfter: triple === null ? null : endOf(triple),
    constraints: current?.constraints ?? null,
    bundlePath: paths.bundle,
    bundle,
    files,
    problems,
  };
}

function asProblem({ code, message }: PkiError): Problem {
  return { code, message };
}

function fileFact(path: string): FileFact {
  const mode = modeOf(path);
  return { path, mode: mode === null ? null : modeText(mode) };
}

async function bundleEntries(triple: Triple): Promise<readonly BundleEntry[]> {
  const { constraintsText } = await import('./certificate.ts');
  const entry = (certificate: X509Certificate, current: boolean): BundleEntry => ({
    subject: certificate.subject.replaceAll('\n', ', '),
    fingerprint256: certificate.fingerprint256,
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    constraints: constraintsText(certificate.raw),
    current,
  });
  return [entry(triple.ca, true), ...triple.former.map((former) => entry(former, false))];
}

function timeProblems(triple: Triple, now: Date): readonly Problem[] {
  const [start, end] = [startOf(triple), endOf(triple)];
  if (start > now) {
    return [
      {
        code: 'not_yet_valid',
        message: `the authority begins at ${start.toISOString()}: check the clock of this machine`,
      },
    ];
  }
  const left = end.getTime() - now.getTime();
  if (left >= CA_RENEW_MS) return [];
  return [
    {
      code: left <= 0 ? 'expired' : 'expiring',
      message: `the authority ends at ${end.toISOString()}: the next start of the proxy makes a new one; restart agents afterwards`,
    },
  ];
}

function constraintProblems(bundle: readonly BundleEntry[], paths: StorePaths): readonly Problem[] {
  return bundle
    .filter(({ constraints }) => constraints?.startsWith('critical') !== true)
    .map(({ subject }) => ({
      code: 'unconstrained',
      message: `${paths.bundle} trusts "${subject}", which may sign for any name and is not ours: run \`lanekeeper ca rotate\``,
    }));
}
