/**
 * The command line: parses it, runs one command, exits with its code. A command's module is loaded
 * only when it runs, so that `--help` and the small commands start quickly.
 */
import { CommanderError } from 'commander';

import { EXIT, reportFailure } from './failure.ts';
import { createProgram } from './program.ts';

/** Runs a command line (without node and script) and returns its exit code. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.done;
  const program = createProgram((reported) => {
    code = reported;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    // commander has said already what is wrong, or printed the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportFailure(error);
  }
}
