/**
 * The operational log: one JSON line an event, on standard error. What the program says of exchanges
 * is the ledger's; here stands what went wrong around them.
 *
 * The logger is loaded at the first event, so that a proxy that has nothing to say starts sooner.
 * Facts are tokens and numbers by construction; the redaction is the second net beneath, which is missing
 * where the logger can not be loaded.
 */
import type { Logger } from 'pino';
import type { EdgeLog } from './edge/edge.ts';

const SECRET_NAMES = ['authorization', 'x-api-key', 'cookie', 'proxy-authorization', 'token'];

export function createLog(): EdgeLog {
  let loading: Promise<Logger> | null = null;
  return {
    warn(event, facts) {
      loading ??= openLogger();
      loading.then(
        (logger) => logger.warn(facts, event),
        () => {
          // Out of file descriptors, or the program is being replaced: said plainly, and tried anew.
          loading = null;
          process.stderr.write(`lanekeeper: ${event}: ${JSON.stringify(facts)}\n`);
        },
      );
    },
  };
}

async function openLogger(): Promise<Logger> {
  const { pino, destination } = await import('pino');
  const stderr = destination({ dest: 2, sync: true });
  // A log on a full disk, or a terminal that is gone: nobody is told, and nobody dies of it.
  stderr.on('error', () => undefined);
  const options = { base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return pino({ ...options, redact: [...SECRET_NAMES] }, stderr);
}
