/**
 * From the options of a command to its home and its configuration. The configuration room is loaded
 * only by commands that need more than the home.
 */
import { homedir } from 'node:os';

import { mergeVariables, readDotEnv, resolveHome } from '../config/environment.ts';
import type { TwinUpstreams } from '../config/load.ts';
import type { Config } from '../config/types.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly home?: string;
  readonly config?: string;
}

/** The option of commands that print a result. */
export interface JsonOption {
  readonly json?: boolean;
}

/** What a command line may override. */
export interface Overrides {
  host?: string;
  port?: number;
}

/** The home, as `loadConfig` finds it too, without reading a configuration. */
export function homeOf(options: CommonOptions): string {
  const cwd = workingDirectory() ?? ROOT;
  const variables = mergeVariables(process.env, readDotEnv(cwd).variables);
  return resolveHome(options.home, variables, cwd, process.env['HOME'] || homedir());
}

/**
 * The configuration of this working directory and environment.
 *
 * @throws ConfigError with every problem found
 */
export async function configOf(
  options: CommonOptions,
  more: { overrides?: Overrides; twin?: TwinUpstreams } = {},
): Promise<Config> {
  const { loadConfig } = await import('../config/load.ts');
  const cwd = workingDirectory();
  const config = await loadConfig({
    cwd: cwd ?? ROOT,
    env: process.env,
    refuseStrange: true,
    ...(options.home === undefined ? {} : { home: options.home }),
    ...(options.config === undefined ? {} : { configFile: options.config }),
    ...more,
  });
  return cwd === null ? { ...config, notes: [...config.notes, CWD_GONE] } : config;
}

const ROOT = '/';
const CWD_GONE =
  'the working directory is gone, and with it what it configured: start anew in one that is there';

/** Null where it was removed: a proxy that runs must not depend on it. */
function workingDirectory(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}
