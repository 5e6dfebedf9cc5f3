/**
 * Processes of this program that hold credentials, started so that nothing can be made to write down
 * their memory or their environment: no core file, no debugger, no heap snapshot, no diagnostic report,
 * no TLS keys, and none of Node's own debugging output, which shows the environment of what it starts.
 * `bin/lanekeeper` does the same for `start` itself.
 *
 * The system's own debuggers are the user's and stay so: who may trace the process can read it.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** A limit is inherited, and can be set from within a shell only. `exec` keeps the process. */
const WITHOUT_CORE = ['/bin/sh', '-c', 'ulimit -c 0; exec "$@"', 'sh'] as const;
/** Without it SIGUSR1 opens a debugger on loopback. */
const NO_DEBUGGER = '--disable-sigusr1';
/** Node takes `_` for `-` within a name. */
const DUMPS =
  /^--(?:inspect|heapsnapshot|heap-prof|report|abort-on|tls-keylog|trace-tls|trace-event)/;
const DEBUG_VARIABLES = ['NODE_DEBUG', 'NODE_DEBUG_NATIVE'] as const;

/**
 * Starts Node with these arguments.
 *
 * @param args flags of Node, the program, and its arguments; those of this process go before them
 */
export function spawnGuarded(args: readonly string[], options: SpawnOptions): ChildProcess {
  const [shell, ...rest] = WITHOUT_CORE;
  const flags = [...withoutDumps(process.execArgv), NO_DEBUGGER];
  return spawn(shell, [...rest, process.execPath, ...flags, ...args], {
    ...options,
    env: guardedEnvironment(options.env ?? process.env),
  });
}

/** The environment without what would make Node dump; what else NODE_OPTIONS asks for stays. */
export function guardedEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = { ...env };
  for (const name of DEBUG_VARIABLES) delete kept[name];
  const options = kept['NODE_OPTIONS'];
  if (options !== undefined) kept['NODE_OPTIONS'] = withoutDumps(options.split(/\s+/)).join(' ');
  return kept;
}

/** Words of a command line without such flags, and without their values where these stand apart. */
export function withoutDumps(words: readonly string[]): string[] {
  let isValue = false;
  return words.filter((word) => {
    if (!word.startsWith('-')) {
      const kept = !isValue;
      isValue = false;
      return kept;
    }
    const isDump = DUMPS.test(word.replaceAll('_', '-'));
    isValue = isDump && !word.includes('=');
    return !isDump;
  });
}
