/** The clients that a drill can be run with. */
import type { DrillClientName } from '../../drills/plan.ts';
import { createRawClient } from '../../drills/raw-client.ts';
import { loadSdkClients } from '../../drills/sdk-client.ts';
import type { Access, DrillClient } from '../../drills/types.ts';
import { CliError, EXIT } from '../failure.ts';
import { type ClaudeOptions, findClaude, prepareClaude } from './claude.ts';
import type { Target } from './target.ts';

/** The clients of a drill, and what is to be done when they are closed. */
export interface Clients {
  make(): DrillClient;
  close(): void;
}

export interface ClientOptions extends ClaudeOptions {
  readonly client: DrillClientName;
}

/**
 * Finds them; what can not be had is said before anything is started.
 *
 * @throws CliError
 */
export async function clientsOf(
  options: ClientOptions,
): Promise<(target: Pick<Target, 'access' | 'simulated'>) => Promise<Clients> | Clients> {
  if (options.client === 'claude') {
    const program = findClaude(options.claude);
    return (target) => prepareClaude(program, options, target);
  }
  const make = await wireClientsOf(options);
  return ({ access }) => ({ make: () => make(access), close: () => undefined });
}

/**
 * Clients that show the bytes of an answer.
 *
 * @throws CliError
 */
export async function wireClientsOf(
  options: ClientOptions,
): Promise<(access: Access) => DrillClient> {
  const { client, claude, turns } = options;
  if (claude !== undefined || turns !== undefined) {
    throw new CliError('--claude and --turns are for --client claude', EXIT.usage);
  }
  if (client === 'raw') return createRawClient;
  if (client === 'claude') {
    throw new CliError('drill ab compares by bytes: use --client raw or sdk', EXIT.usage);
  }
  const clients = await loadSdkClients();
  if (clients !== null) return clients;
  throw new CliError(
    '--client sdk: @anthropic-ai/sdk and undici are not installed beside lanekeeper; install them, or use --client raw',
  );
}
