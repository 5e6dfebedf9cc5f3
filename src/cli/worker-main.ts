/**
 * The process of a worker of `start`: it reads the configuration itself, as `start` was told to, and
 * serves until its supervisor ends it. It is told its options over the channel and loads no command line.
 */
import { inspect } from 'node:util';

import { ControlError } from '../admin/types.ts';
import { ConfigError } from '../config/errors.ts';
import type { TwinUpstreams } from '../config/load.ts';
import type { Config } from '../config/types.ts';
import { createEngine, type Engine } from '../engine.ts';
import type { Failure } from '../supervisor/messages.ts';
import { runWorker } from '../worker.ts';
import { describeFailure, EXIT, exitCodeOf } from './failure.ts';
import { packageVersion } from './package-info.ts';
import { configOf, type Overrides } from './settings.ts';

/** What `start` gives its workers: its options, null where they were not given. */
export interface WorkerGiven {
  readonly home: string | null;
  readonly config: string | null;
  readonly host: string | null;
  readonly port: number | null;
  /** Where the twin in the supervisor's process listens. */
  readonly twin: TwinUpstreams | null;
}

// Nobody is left to tell.
process.stderr.on('error', () => undefined);

await runWorker({ engine: (given) => engineOf(given as WorkerGiven), failure: failureOf });
process.exit(EXIT.done);

async function engineOf({ home, config, host, port, twin }: WorkerGiven): Promise<Engine> {
  const options = {
    ...(home === null ? {} : { home }),
    ...(config === null ? {} : { config }),
  };
  const overrides: Overrides = {
    ...(host === null ? {} : { host }),
    ...(port === null ? {} : { port }),
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
