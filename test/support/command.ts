/**
 * One command of `bin/lanekeeper` as a process of its own, with nothing of the machine's environment
 * but PATH.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { LAUNCHER } from './proxy-process.ts';

export interface CommandOptions {
  /** Its home, HOME and working directory. */
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface CommandResult {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly child: ChildProcess;
  readonly done: Promise<CommandResult>;
  /** Resolves with all of stdout once it holds the text; rejects where the command ends before. */
  printed(text: string): Promise<string>;
  /** The same for stderr. */
  said(text: string): Promise<string>;
}

/** Starts a command; with a hung one the test's own timeout is the bound. */
export function startCommand(args: readonly string[], options: CommandOptions): Command {
  const { home, env = {}, cwd = home } = options;
  const child = spawn(LAUNCHER, args, {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, LANEKEEPER_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    out.stderr += text;
  });
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, ...out }));
  const holds = async (stream: 'stdout' | 'stderr', text: string): Promise<string> => {
    while (!out[stream].includes(text)) {
      const ended = await Promise.race([
        once(child[stream], 'data').then(() => false),
        done.then(() => true),
      ]);
      if (ended && !out[stream].includes(text)) {
        throw new Error(`ended without "${text}": ${out.stdout}${out.stderr}`);
      }
    }
    return out[stream];
  };
  return {
    child,
    done,
    printed: (text) => holds('stdout', text),
    said: (text) => holds('stderr', text),
  };
}

/** Runs a command to its end. */
export function runCommand(
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return startCommand(args, options).done;
}
