/** `twin`: the simulated upstreams on their own, in the foreground, until a signal ends them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { startTwin, type Twin } from '../../twin/index.ts';
import { CliError, EXIT } from '../failure.ts';
import { readFaultPlan } from '../fault-plan.ts';
import { print } from '../output.ts';
import { type CommonOptions, homeOf } from '../settings.ts';

interface TwinOptions extends CommonOptions {
  readonly port?: number;
  readonly seed?: number;
  readonly faults?: string;
}

/** Runs both upstreams. Resolves when a signal has ended them. */
export async function twin(options: TwinOptions): Promise<number> {
  const upstreams = await open(options);
  const ending = firstSignal();
  const folder = join(homeOf(options), 'run');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const caPath = join(folder, 'twin-ca.pem');
  writeFileSync(caPath, upstreams.anthropic.ca);
  const { anthropic, zai } = upstreams;
  print(`twin anthropic ${anthropic.origin}${anthropic.basePath}`);
  print(`twin zai ${zai.origin}${zai.basePath}`);
  print(`twin ca ${caPath}`);
  if (zai.key !== null) print(`twin zai-key ${zai.key}`);
  const signal = await ending;
  await upstreams.close();
  return signal === 'SIGINT' ? EXIT.interrupted : EXIT.done;
}

async function open(options: TwinOptions): Promise<Twin> {
  const { port = 0, seed } = options;
  const faults = options.faults === undefined ? undefined : await readFaultPlan(options.faults);
  const ports = port === 0 ? {} : { anthropic: port, zai: port + 1 };
  try {
    return await startTwin({
      ports,
      ...(seed === undefined ? {} : { seed }),
      ...(faults === undefined ? {} : { faults }),
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
      throw new CliError(`port ${port} or ${port + 1} is in use; choose another with --port`);
    }
    throw error;
  }
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
