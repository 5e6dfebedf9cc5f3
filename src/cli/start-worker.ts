/** A worker of `start`: it reads the configuration itself, as `start` was told to, and serves. */
import { inspect } from 'node:util';

import { ControlError } from '../admin/types.ts';
import { ConfigError } from '../config/errors.ts';
import type { TwinUpstreams } from '../config/load.ts';
import type { Config } from '../config/types.ts';
import { createEngine, type Engine } from '../engine.ts';
import type { Failure } from '../supervisor/messages.ts';
import { runWorker } from '../worker.ts';
import type { StartOptions } from './commands/start.ts';
import { describeFailure, EXIT, exitCodeOf } from './failure.ts';
import { packageVersion } from './package-info.ts';
import { configOf, type Overrides } from './settings.ts';

/** What `start` gives its workers. */
export interface WorkerGiven {
  /** Where the twin in the supervisor's process listens. */
  readonly twin: TwinUpstreams | null;
}

/** Serves until the supervisor ends it. */
export async function startWorker(options: StartOptions): Promise<number> {
  await runWorker({
    engine: (given) => engineOf(options, given as WorkerGiven),
    failure: failureOf,
  });
  return EXIT.done;
}

async function engineOf(options: StartOptions, { twin }: WorkerGiven): Promise<Engine> {
  const { host, port } = options;
  const overrides: Overrides = {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
  };
  const readConfig = (): Promise<Config> =>
    configOf(options, { overrides, ...(twin === null ? {} : { twin }) });
  return createEngine({
    config: await readConfig(),
    reloadConfig: readConfig,
    twin: twin !== null,
    version: packageVersion(),
  });
}

function failureOf(error: unknown): Failure {
  if (process.env['LANEKEEPER_DEBUG'] === '1') process.stderr.write(`${inspect(error)}\n`);
  return { code: codeOf(error), message: describeFailure(error), exitCode: exitCodeOf(error) };
}

function codeOf(error: unknown): string {
  if (error instanceof ControlError) return error.code;
  return error instanceof ConfigError ? 'bad_config' : 'worker_failed';
}
