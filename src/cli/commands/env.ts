/** `env [PORT]`: shell lines that make the shell use the proxy. Nothing else goes to stdout. */
import { readStatus } from '../../admin/client.ts';
import { clientEnvironment, proxyUrl } from '../environment.ts';
import { CliError, EXIT } from '../failure.ts';
import { printExact, say } from '../output.ts';
import { type CommonOptions, configOf } from '../settings.ts';
import { type Shell, shellLines } from '../shell-lines.ts';
import { trustFor } from '../trust.ts';

interface EnvOptions extends CommonOptions {
  readonly shell: Shell;
}

/** Prints the lines; the certificate authority is made where there is none yet. */
export async function env(options: EnvOptions, args: readonly string[]): Promise<number> {
  const config = await configOf(options);
  const running = await listenOfRunning(config.home);
  const port = args[0] === undefined ? (running?.port ?? config.listen.port) : Number(args[0]);
  if (port === 0) {
    throw new CliError(
      'the configured port is 0 (any free one) and no proxy runs: start it first, or name the port: lanekeeper env PORT',
    );
  }
  const { trust, notes } = await trustFor(config, process.env['NODE_EXTRA_CA_CERTS']);
  const changes = clientEnvironment({
    base: process.env,
    url: proxyUrl({ host: running?.host ?? config.listen.host, port }, config.listen.token),
    trust,
    intercept: config.intercept,
  });
  for (const note of [...notes, ...changes.notes]) say(note);
  printExact(shellLines(changes, options.shell));
  return EXIT.done;
}

async function listenOfRunning(home: string): Promise<{ host: string; port: number } | null> {
  try {
    return (await readStatus(home)).listen;
  } catch {
    return null;
  }
}
