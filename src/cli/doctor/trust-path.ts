/**
 * The check end to end: a Node process with the environment that `env` prints reaches an intercepted
 * host through the proxy, over verified TLS. Nothing leaves the machine.
 */
import { execFile } from 'node:child_process';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ServedStatus } from '../../admin/types.ts';
import type { Config } from '../../config/types.ts';
import { TRUST_CHECK_MS_MAX } from '../../core/limits.ts';
import { clientEnvironment, proxyUrl, withChanges } from '../environment.ts';
import { describeFailure } from '../failure.ts';
import { launchProxy, SILENT } from '../proxy-loader.ts';
import { trustFor } from '../trust.ts';
import { error, type Finding, ok } from './finding.ts';

const CHECK = 'trust';
const THIS_FILE = fileURLToPath(import.meta.url);
const PROBE = join(THIS_FILE, '..', `trust-probe${extname(THIS_FILE)}`);

interface ProbeResult {
  readonly step: string;
  readonly status?: number;
  readonly version?: string;
  readonly code?: string;
  readonly message?: string;
}

/** Uses the running proxy, or one on a free port for as long as the check takes. */
export async function checkTrustPath(
  config: Config,
  status: ServedStatus | null,
): Promise<Finding> {
  if (status !== null) return probe(config, status.listen);
  try {
    const listen = { ...config.listen, port: 0 };
    const temporary = await launchProxy({
      config: { ...config, listen },
      twin: false,
      log: SILENT,
    });
    try {
      return await probe(config, { host: temporary.host, port: temporary.port });
    } finally {
      await temporary.close();
    }
  } catch (cause) {
    const mend = 'mend that first; the other findings may say how';
    return error(CHECK, `a proxy could not be started: ${describeFailure(cause)}`, mend);
  }
}

async function probe(config: Config, listen: { host: string; port: number }): Promise<Finding> {
  const host = config.intercept[0];
  if (host === undefined) return ok(CHECK, 'no host is intercepted, so there is nothing to trust');
  const { trust } = await trustFor(config, process.env['NODE_EXTRA_CA_CERTS']);
  const changes = clientEnvironment({
    base: process.env,
    url: proxyUrl(listen, config.listen.token),
    trust,
    intercept: config.intercept,
  });
  const environment = withChanges(process.env, changes);
  // The client must verify, whatever this shell was told.
  delete environment['NODE_TLS_REJECT_UNAUTHORIZED'];
  return judge(await runProbe(host, environment), host, trust);
}

function runProbe(host: string, environment: Record<string, string>): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const args = [...process.execArgv, PROBE, host];
    const options = {
      env: environment,
      timeout: TRUST_CHECK_MS_MAX,
      killSignal: 'SIGKILL',
    } as const;
    execFile(process.execPath, args, options, (_error, stdout) => {
      try {
        resolve(JSON.parse(stdout) as ProbeResult);
      } catch {
        resolve({ step: 'probe', code: 'no answer in time', message: '' });
      }
    });
  });
}

function judge(result: ProbeResult, host: string, trust: string): Finding {
  const { step, code = '', message = '' } = result;
  switch (step) {
    case 'done':
      if ((result.version ?? '') !== '') {
        return ok(CHECK, `a client reaches ${host} through the proxy and trusts it (${trust})`);
      }
      return error(
        CHECK,
        `${host} was reached, but not answered by the proxy (status ${result.status ?? 0})`,
        'something else listens on the port; stop it, or choose another port with MITM_PORT',
      );
    case 'tls':
      return error(
        CHECK,
        `a client does not trust the proxy for ${host}: ${message} (${code})`,
        'lanekeeper ca rotate, then restart the proxy and the clients',
      );
    case 'connect':
      return error(
        CHECK,
        `the proxy refuses a tunnel to ${host} (${code})`,
        'restart the proxy: it may run with another configuration',
      );
    default:
      return error(
        CHECK,
        `the proxy can not be reached: ${code}`,
        'lanekeeper drain, then start it again',
      );
  }
}
