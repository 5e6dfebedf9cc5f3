/** What a chaos drill does to a proxy, and what may come of each. */

/** The processes of a proxy. */
export interface Processes {
  readonly supervisor: number;
  readonly workers: readonly number[];
}

/** What can be done to the proxy of a chaos drill. */
export interface ChaosProxy {
  processes(): Promise<Processes>;
  /** Sends a signal to a process of the proxy. */
  signal(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Resolves when the process that was started last has ended. */
  ended(): Promise<void>;
  /** Starts it again, at the same address; resolves when it accepts connections. */
  start(): Promise<void>;
  /** Replaces its workers; resolves when the new ones serve. */
  renew(): Promise<void>;
  /** Exchanges that it has under way. */
  open(): Promise<number>;
}

export const ACT_NAMES = ['terminate', 'renew', 'kill-worker', 'kill-supervisor', 'kill'] as const;
export type ActName = (typeof ACT_NAMES)[number];

export interface Act {
  readonly name: ActName;
  /** For people. */
  readonly does: string;
  /** Does it; resolves when the proxy is whole again. */
  readonly perform: (proxy: ChaosProxy, before: Processes) => Promise<void>;
  /** Open streams that may be lost, of so many, by so many workers. */
  readonly mayLose: (streams: number, workers: number) => number;
  /** Connections may be refused until it is whole again. */
  readonly mayRefuse: boolean;
  /** Processes that must be gone afterwards. */
  readonly mustEnd: (before: Processes) => readonly number[];
}

const POLL_MS = 10;

/** In the order in which a drill does them: from the gentlest to the hardest. */
export const ACTS: readonly Act[] = [
  {
    name: 'renew',
    does: 'rolling restart of the workers',
    perform: (proxy) => proxy.renew(),
    mayLose: () => 0,
    mayRefuse: false,
    mustEnd: ({ workers }) => workers,
  },
  {
    name: 'terminate',
    does: 'SIGTERM, and a new start when it has ended',
    perform: async (proxy, { supervisor }) => {
      proxy.signal(supervisor, 'SIGTERM');
      await proxy.ended();
      await proxy.start();
    },
    mayLose: () => 0,
    mayRefuse: true,
    mustEnd: ({ supervisor, workers }) => [supervisor, ...workers],
  },
  {
    name: 'kill-worker',
    does: 'SIGKILL of one worker',
    perform: async (proxy, { workers }) => {
      const [victim = 0] = workers;
      proxy.signal(victim, 'SIGKILL');
      await isReplaced(proxy, victim, workers.length);
    },
    // Connections are handed out in turn.
    mayLose: (streams, workers) => Math.ceil(streams / workers),
    mayRefuse: false,
    mustEnd: ({ workers }) => workers.slice(0, 1),
  },
  {
    name: 'kill-supervisor',
    does: 'SIGKILL of the supervisor, and a new start',
    perform: async (proxy, { supervisor }) => {
      proxy.signal(supervisor, 'SIGKILL');
      await proxy.ended();
      await proxy.start();
    },
    mayLose: () => 0,
    mayRefuse: true,
    mustEnd: ({ supervisor, workers }) => [supervisor, ...workers],
  },
  {
    name: 'kill',
    does: 'SIGKILL of all its processes, and a new start',
    perform: async (proxy, { supervisor, workers }) => {
      for (const pid of [supervisor, ...workers]) proxy.signal(pid, 'SIGKILL');
      await proxy.ended();
      await proxy.start();
    },
    mayLose: (streams) => streams,
    mayRefuse: true,
    mustEnd: ({ supervisor, workers }) => [supervisor, ...workers],
  },
];

async function isReplaced(proxy: ChaosProxy, victim: number, count: number): Promise<void> {
  for (;;) {
    const { workers } = await proxy.processes();
    if (!workers.includes(victim) && workers.length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
