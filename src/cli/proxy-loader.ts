/**
 * The proxy as the commands start it. It brings every room of the program with it, so it is loaded
 * only by the commands that run one.
 */
import type { ProxyOptions, RunningProxy } from '../proxy.ts';
import { packageVersion } from './package-info.ts';

export type { RunningProxy } from '../proxy.ts';

/** For a proxy of a moment, whose findings are told otherwise. */
export const SILENT: NonNullable<ProxyOptions['log']> = { warn: () => undefined };

/**
 * Starts a proxy of this version. It logs to stderr, unless told otherwise.
 *
 * @throws ProxyStartError with a code such as `port_in_use`; ControlError `already_running`
 */
export async function launchProxy(options: Omit<ProxyOptions, 'version'>): Promise<RunningProxy> {
  const { startProxy } = await import('../proxy.ts');
  return startProxy({ ...options, version: packageVersion() });
}
