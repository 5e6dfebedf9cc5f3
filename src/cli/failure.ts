/**
 * How a command fails: a few plain lines on stderr and the exit code of the contract. A stack is
 * shown only with `LANEKEEPER_DEBUG=1`.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { inspect } from 'node:util';

import { ControlError } from '../admin/types.ts';
import { say } from './output.ts';

/** The exit codes of the contract (section 2). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  config: 78,
  interrupted: 130,
} as const;

/** A command can not do what it was asked to; the message says what and how to mend it. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Errors of the rooms whose message is written for people and names the mend. */
const PLAIN_NAMES: ReadonlySet<string> = new Set([
  'CliError',
  'ConfigError',
  'ControlError',
  'PkiError',
  'ProxyStartError',
  'WorkerFailure',
  'PriceTableError',
  'ReportError',
  'SessionError',
]);

/** Says on stderr what failed. Returns the exit code. */
export function reportFailure(error: unknown): number {
  if (process.env['LANEKEEPER_DEBUG'] === '1') process.stderr.write(`${inspect(error)}\n`);
  say(describeFailure(error));
  return exitCodeOf(error);
}

/** One or few lines for people. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return `failed: ${String(error)}`;
  if (PLAIN_NAMES.has(error.name)) return error.message;
  if ('syscall' in error && 'code' in error) return describeSystemError(error);
  return `failed inside: ${error.message}\n  LANEKEEPER_DEBUG=1 shows where; please report it`;
}

/** Errors know their exit code where it is not the common one (1). */
export function exitCodeOf(error: unknown): number {
  // A configuration that a running proxy refused is as bad as one that is refused here.
  if (error instanceof ControlError && error.code === 'bad_config') return EXIT.config;
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    return error.exitCode;
  }
  return EXIT.failed;
}

function describeSystemError(error: Error): string {
  const { code, path } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && path?.startsWith(tmpdir()) === true && !existsSync(tmpdir())) {
    return `${tmpdir()}: the folder for temporary files does not exist; make it, or mend TMPDIR`;
  }
  const subject = path ?? (error as NodeJS.ErrnoException).syscall ?? 'a system call';
  return `${subject}: ${meaning(code ?? '')}`;
}

function meaning(code: string): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return `permission denied (${code}); check its owner and mode, or choose another --home`;
    case 'ENOENT':
      return 'it does not exist (ENOENT)';
    case 'ENOSPC':
    case 'EDQUOT':
      return `the disk is full (${code}); make room, or choose another --home`;
    case 'EMFILE':
    case 'ENFILE':
      return `no file descriptor is left (${code}); raise the limit (ulimit -n), or end what holds many`;
    case 'ENOTDIR':
    case 'EEXIST':
      return `a file stands where a folder belongs (${code}); move it away, or choose another --home`;
    case 'EROFS':
      return 'the file system is read-only (EROFS); choose another --home';
    default:
      return `failed with ${code}`;
  }
}
