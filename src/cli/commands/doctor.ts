/** `doctor`: checks the machine, the environment and the proxy; each finding with its mend. */
import { readStatus } from '../../admin/client.ts';
import type { ServedStatus } from '../../admin/types.ts';
import { ConfigError } from '../../config/errors.ts';
import type { Config } from '../../config/types.ts';
import { error, type Finding } from '../doctor/finding.ts';
import { checkClock, checkLedger, checkNode } from '../doctor/machine.ts';
import {
  checkAccess,
  checkAuthority,
  checkLanes,
  checkNotes,
  checkProxy,
} from '../doctor/setup.ts';
import { checkTraps } from '../doctor/traps.ts';
import { checkTrustPath } from '../doctor/trust-path.ts';
import { EXIT } from '../failure.ts';
import { print, printJson } from '../output.ts';
import { type CommonOptions, configOf, homeOf, type JsonOption } from '../settings.ts';

const MARKS = { ok: 'ok   ', warn: 'warn ', error: 'ERROR' } as const;

/** Exit code 1 where a finding is an error. */
export async function doctor(options: CommonOptions & JsonOption): Promise<number> {
  const findings = await findingsOf(options);
  const isHealthy = findings.every((finding) => finding.level !== 'error');
  if (options.json === true) printJson({ ok: isHealthy, findings });
  else print(findings.map(describe).join('\n'));
  return isHealthy ? EXIT.done : EXIT.failed;
}

/** Everything that is checked. */
export async function findingsOf(options: CommonOptions): Promise<readonly Finding[]> {
  const findings = [checkNode(), checkClock(), checkLedger(homeOf(options))];
  const config = await readConfig(options, findings);
  if (config !== null) findings.push(...(await checkSetup(config)));
  return findings;
}

/** Null, and a finding a problem, where the configuration can not be used. */
async function readConfig(options: CommonOptions, findings: Finding[]): Promise<Config | null> {
  try {
    return await configOf(options);
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    for (const { file, variable, line, path, message, mend } of cause.problems) {
      const place = [file ?? variable ?? '', line === null ? '' : `line ${line}`, path ?? ''];
      const where = place.filter((part) => part !== '').join(' ');
      findings.push(error('configuration', `${where}: ${message}`, mend));
    }
    return null;
  }
}

async function checkSetup(config: Config): Promise<Finding[]> {
  const status = await statusOf(config.home);
  const port = status?.listen.port ?? config.listen.port;
  return [
    ...checkNotes(config),
    ...checkLanes(config),
    checkAccess(config),
    ...checkTraps({ variables: process.env, intercept: config.intercept, port }),
    ...(await checkAuthority(config)),
    ...(await checkProxy(config, status)),
    await checkTrustPath(config, status),
  ];
}

async function statusOf(home: string): Promise<ServedStatus | null> {
  try {
    return await readStatus(home);
  } catch {
    return null;
  }
}

function describe(finding: Finding): string {
  const line = `${MARKS[finding.level]}  ${finding.check}: ${finding.message}`;
  return finding.mend === null ? line : `${line}\n       mend: ${finding.mend}`;
}
