/** `versions`: what took part, printed and written to `VERSIONS.json` under the home. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';

import { EXIT } from '../failure.ts';
import { print, printable, printJson, table } from '../output.ts';
import { IN_CHECKOUT, PACKAGE_ROOT, packageVersion } from '../package-info.ts';
import { findOnPath, firstLineOf } from '../programs.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

/** The content of `VERSIONS.json`; null where a program is not there or did not answer. */
interface Versions {
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

export async function versions(options: CommonOptions & JsonOption): Promise<number> {
  const found = await collect();
  const home = homeOf(options);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const path = join(home, 'VERSIONS.json');
  const pending = `${path}.${process.pid}`;
  writeFileSync(pending, `${JSON.stringify(found, null, 2)}\n`);
  renameSync(pending, path);
  if (options.json === true) printJson(found);
  else print(`${table(rows(found))}\n\nwritten to ${path}`);
  return EXIT.done;
}

async function collect(): Promise<Versions> {
  const [commit, npm, claude] = await Promise.all([
    commitOf(PACKAGE_ROOT),
    npmVersion(),
    claudeVersion(),
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
async function claudeVersion(): Promise<string | null> {
  const claude = findOnPath('claude');
  return claude === null ? null : firstLineOf(claude, ['--version'], {});
}

function rows(found: Versions): string[][] {
  return Object.entries(found).map(([name, value]) => [name, printable(String(value ?? 'none'))]);
}
