/** Checks of what is configured: the certificate authority, the keys, the port, the running proxy. */
import { createServer } from 'node:net';

import type { ServedStatus } from '../../admin/types.ts';
import type { Config } from '../../config/types.ts';
import { inspectAuthority } from '../../pki/inspect.ts';
import { packageVersion } from '../package-info.ts';
import { authorityDirectory } from '../trust.ts';
import { error, type Finding, ok, warn } from './finding.ts';

/** Problems that the next start mends by itself. */
const SELF_MENDING: ReadonlySet<string> = new Set(['expired', 'expiring', 'not_yet_valid']);
const DAY_MS = 86_400_000;

export async function checkAuthority(config: Config): Promise<Finding[]> {
  const facts = await inspectAuthority(authorityDirectory(config.home));
  if (facts.problems.length > 0) {
    return facts.problems.map(({ code, message }) =>
      SELF_MENDING.has(code)
        ? warn('ca', message, 'restart the proxy: the next start replaces it')
        : error('ca', message, 'lanekeeper ca rotate makes a new one'),
    );
  }
  if (!facts.present) return [ok('ca', 'there is none yet; the first start makes it')];
  const days = Math.floor(((facts.notAfter?.getTime() ?? 0) - Date.now()) / DAY_MS);
  return [ok('ca', `for ${facts.hosts.join(', ')}, ${days} days left, ${facts.bundlePath}`)];
}

/** Which lanes can work; keys are only said to be there. */
export function checkLanes(config: Config): Finding[] {
  const findings: Finding[] = [];
  for (const lane of config.lanes.values()) {
    const how = lane.credentials.kind === 'key' ? 'its key is set' : 'the client’s own credentials';
    findings.push(ok('lane', `${lane.name}: ${how}`));
  }
  if (config.forceLane === null) {
    const mend = 'set ZAI_API_KEY, in the environment or in .env, to send Haiku there';
    findings.push(warn('lane', 'there is no zai lane: everything goes to the default lane', mend));
  }
  return findings;
}

/** Who may use the port. */
export function checkAccess(config: Config): Finding {
  if (config.listen.token !== null) return ok('access', 'clients must present a token');
  const keyed = [...config.lanes.values()].filter(({ credentials }) => credentials.kind === 'key');
  const spent = keyed.map(({ name }) => `, and spend the key of ${name}`).join('');
  return ok(
    'access',
    `every user of this machine can use the port${spent}; listen: { token: auto } asks for a token`,
  );
}

/** Settings worth a word that are no errors. */
export function checkNotes(config: Config): Finding[] {
  const where = config.file ?? 'defaults and environment';
  const notes = config.notes.map((note) =>
    warn('configuration', note, 'change the setting, if it is not what you want'),
  );
  return [ok('configuration', `valid: ${where}`), ...notes];
}

/** The running proxy, or the port that it would take. */
export async function checkProxy(config: Config, status: ServedStatus | null): Promise<Finding[]> {
  if (status === null) return [await checkPort(config)];
  const where = `process ${status.pid} on port ${status.listen.port}`;
  const findings = [
    ok('proxy', `running: ${where}${status.twin ? ', answering from the twin' : ''}`),
  ];
  if (status.version !== packageVersion()) {
    const message = `the running proxy is version ${status.version}, this is ${packageVersion()}`;
    findings.push(warn('proxy', message, 'lanekeeper drain, then start it again'));
  }
  if (status.ledger.fault !== null) {
    const message = `the running proxy could not write its ledger: ${status.ledger.fault}`;
    findings.push(
      error('proxy', message, 'make room or mend the permissions; it goes on by itself'),
    );
  }
  return findings;
}

async function checkPort(config: Config): Promise<Finding> {
  const { host, port } = config.listen;
  const code = await tryListen(host, port);
  if (code === null) return ok('proxy', `none is running; port ${port} is free`);
  if (code === 'EADDRINUSE') {
    const mend = 'stop the program that listens there, or choose another port with MITM_PORT';
    return error('proxy', `port ${port} is taken, and not by a proxy of this home`, mend);
  }
  const mend = 'choose another address or port with --host, --port or MITM_PORT';
  return error('proxy', `${host}:${port} can not be listened on (${code})`, mend);
}

function tryListen(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => resolve(cause.code ?? 'unknown'));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}
