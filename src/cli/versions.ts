/** What takes part: the versions of everything involved, and their file, `VERSIONS.json` under the home. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

import { IN_CHECKOUT, PACKAGE_ROOT, packageVersion } from './package-info.ts';
import { findOnPath, firstLineOf } from './programs.ts';

/** The content of `VERSIONS.json`; null where a program is not there or did not answer. */
export interface Versions {
  readonly written: string;
  readonly lanekeeper: string;
  /** The commit of a checkout, `+` behind it where files differ from it. */
  readonly commit: string | null;
  readonly node: string;
  readonly npm: string | null;
  /** The OpenSSL inside Node, which speaks TLS here. */
  readonly openssl: string;
  readonly claude: string | null;
  readonly os: string;
}

/**
 * Finds them, and writes them to the file of a home.
 *
 * @param claude path of Claude Code; default: the one on PATH
 */
export async function writeVersions(
  home: string,
  claude: string | null = findOnPath('claude'),
): Promise<{ readonly found: Versions; readonly path: string }> {
  const found = await collect(claude);
  const path = join(home, 'VERSIONS.json');
  const pending = `${path}.${process.pid}`;
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    // Not through a link that somebody put there, should the home be open to others.
    rmSync(pending, { force: true });
    writeFileSync(pending, `${JSON.stringify(found, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(pending, path);
  } catch (error) {
    rmSync(pending, { force: true });
    // The error of a write does not know which file it was.
    throw Object.assign(error as Error, { path });
  }
  return { found, path };
}

async function collect(program: string | null): Promise<Versions> {
  const [commit, npm, claude] = await Promise.all([
    commitOf(PACKAGE_ROOT),
    npmVersion(),
    claudeVersion(program),
  ]);
  return {
    written: new Date().toISOString(),
    lanekeeper: packageVersion(),
    commit,
    node: process.versions.node,
    npm,
    openssl: process.versions.openssl,
    claude,
    os: `${os.type()} ${os.release()} ${os.arch()}`,
  };
}

async function commitOf(root: string): Promise<string | null> {
  const git = IN_CHECKOUT ? findOnPath('git') : null;
  if (git === null) return null;
  const environment = { HOME: os.homedir() };
  const [commit, change] = await Promise.all([
    firstLineOf(git, ['-C', root, 'rev-parse', 'HEAD'], environment),
    firstLineOf(git, ['-C', root, 'status', '--porcelain', '--untracked-files=no'], environment),
  ]);
  return commit !== null && change !== null ? `${commit}+` : commit;
}

/** npm is a script: it needs a PATH to find its Node. */
async function npmVersion(): Promise<string | null> {
  const npm = findOnPath('npm');
  return npm === null ? null : firstLineOf(npm, ['--version'], { PATH: process.env['PATH'] ?? '' });
}

/** Asked with an empty environment, so that no login or key of the user is at hand. */
async function claudeVersion(claude: string | null): Promise<string | null> {
  return claude === null ? null : firstLineOf(claude, ['--version'], {});
}
