/** How a command that only reads and computes is interrupted: at once, with the exit code for it. */
import { EXIT } from './failure.ts';

/** Ends the process at SIGINT or SIGTERM, after what was registered for its exit has run. */
export function endOnSignal(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(EXIT.interrupted));
  }
}
