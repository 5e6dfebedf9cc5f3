/**
 * What a configuration file may ask for that nobody named.
 *
 * `lanekeeper.yaml` is read where it is found in the working directory, and that may be the checkout of
 * a stranger's repository. Such a file may route, but it may not send anybody's credentials to a host
 * that this program does not know, trust another certificate where one's own login goes, or open the
 * port to the network: that takes the word of the person, by `--config` or by the file's place in the
 * home.
 */
import { dirname } from 'node:path';
import type { Variables } from './environment.ts';
import { type ConfigProblem, variableProblem } from './errors.ts';
import type { ConfigFile } from './file.ts';
import { fileProblem, type SettingPath } from './issues.ts';
import { isOfAnotherUser } from './ownership.ts';
import { isLoopback, parseUpstream } from './upstream.ts';

/** How the file came to be read. */
export interface Provenance {
  /** `--config`. */
  readonly named: string | undefined;
  /** Absolute path of the home, and whether only `.env` named it. */
  readonly home: string;
  readonly isHomeOfDotEnv: boolean;
}

/** True where `.env` alone says where the home is. */
export function isHomeOfDotEnv(
  option: string | undefined,
  env: Variables,
  dotEnv: Variables,
): boolean {
  if (option !== undefined || env['LANEKEEPER_HOME'] !== undefined) return false;
  return (dotEnv['LANEKEEPER_HOME'] ?? '') !== '';
}

/** What belongs to another user of this machine, who could change it at any time. */
export function problemsOfOwners(home: string, dotEnv: string): ConfigProblem[] {
  const message = 'belongs to another user, who could change what lies in it';
  const problems: ConfigProblem[] = [];
  if (isOfAnotherUser(home)) {
    const mend = 'choose a home of your own with --home or LANEKEEPER_HOME';
    problems.push(variableProblem('--home', `${home} ${message}`, mend));
  }
  if (isOfAnotherUser(dotEnv)) {
    const mend = 'work in a directory of your own, or make the file yours';
    problems.push(variableProblem('.env', `${dotEnv} ${message}`, mend));
  }
  return problems;
}

/**
 * Adds a problem for each setting of a file that was merely found and that needs the word of the person.
 *
 * @param known hosts that credentials go to without any file
 */
export function refuseStrangeSettings(
  file: ConfigFile,
  provenance: Provenance,
  known: ReadonlySet<string>,
  problems: ConfigProblem[],
): void {
  const { named, home } = provenance;
  if (named !== undefined) return;
  if (isOfAnotherUser(file.file)) {
    const mend = 'copy it to a place of your own, or name it with --config';
    problems.push(fileProblem(file, [], 'belongs to another user, who could change it', mend));
  }
  if (dirname(file.file) === home && !provenance.isHomeOfDotEnv) return;
  const refuse = (path: SettingPath, what: string): void => {
    const message = `${what}, and nobody named this file: it was found in the working directory`;
    const mend = `if it is yours, name it (--config ${file.file}) or move it into the home; else remove it`;
    problems.push(fileProblem(file, path, message, mend));
  };
  const host = file.data.listen?.host;
  if (host !== undefined && !isLoopback(host)) {
    refuse(['listen', 'host'], 'would open the port beyond this machine');
  }
  for (const [name, lane] of Object.entries(file.data.lanes ?? {})) {
    const upstream = parseUpstream(lane.upstream);
    if (!upstream.ok || isLoopback(upstream.value.host)) continue;
    const path = ['lanes', name];
    if (!known.has(upstream.value.host)) {
      refuse([...path, 'upstream'], `would send credentials to ${upstream.value.host}`);
    } else if (lane.ca !== undefined && lane.credentials === 'passthrough') {
      refuse([...path, 'ca'], `would trust other certificates for ${upstream.value.host}`);
    }
  }
}
