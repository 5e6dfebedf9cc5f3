/**
 * Runs the command line of this process, to its end.
 */
import { runCommandLine } from './command-line.ts';
import { EXIT } from './failure.ts';

// A reader that has seen enough (`lanekeeper tail | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
});
// Nobody is left to tell.
process.stderr.on('error', () => undefined);

process.exit(await runCommandLine(process.argv.slice(2)));
