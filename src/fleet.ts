/**
 * The proxy of several processes as one: a supervisor with its workers, the control socket that speaks
 * for them all, and what of their state must outlive a worker: the switches thrown at run time and
 * the counts of those that ended.
 */
import type { ChildProcess } from 'node:child_process';
import type net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { ended, merge, type WorkerReport } from './admin/merge.ts';
import { metricsText } from './admin/metrics.ts';
import { serveControl } from './admin/server.ts';
import {
  type Control,
  ControlError,
  type Reloaded,
  type Restarted,
  type StatusReport,
} from './admin/types.ts';
import { formatAuthority } from './core/authority.ts';
import { DRAIN_MS_MAX, WORKER_WAIT_MS_MAX } from './core/limits.ts';
import { createLeases } from './leases.ts';
import { isPortTaken, listen } from './listen.ts';
import { memoryUse } from './memory-use.ts';
import { type Address, WorkerFailure } from './supervisor/messages.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import type { Exit, WorkerProcess } from './supervisor/worker-process.ts';
import type { Switches } from './worker.ts';

/** A worker that ended unasked; another one puts it on record. */
export interface LostWorker extends Exit {
  /** Exchanges under way by its last report; null where it made none. */
  readonly exchangesOpen: number | null;
}

export interface FleetOptions {
  readonly home: string;
  readonly workers: number;
  /** Starts a worker process. */
  spawn(): ChildProcess;
  /** What each worker is given at its begin; can be sent as JSON. */
  readonly given: unknown;
  /** Ends once every lease was given back, and takes any port where its own is taken. */
  readonly leased: boolean;
  /** Says on stderr what a user would want to know. */
  say(text: string): void;
}

type ControlServer = Awaited<ReturnType<typeof serveControl>>;

export class Fleet implements Control {
  /** Resolves when it has ended, however it came to it. */
  readonly closed: Promise<void>;
  readonly #options: FleetOptions;
  readonly #supervisor: Supervisor;
  readonly #leases = createLeases(() => {
    if (this.#options.leased) this.drain();
  });
  readonly #startedMs = Date.now();
  readonly #running = Promise.withResolvers<void>();
  #address: Address = { host: '', port: 0 };
  #server: ControlServer | null = null;
  /** As they were thrown at run time; those that were not are as the configuration has them. */
  #switches: Partial<Switches> = {};
  /** What ended workers had counted. */
  #retired: WorkerReport | null = null;
  #lost: LostWorker[] = [];
  #lostCount = 0;
  /** When a connection last did not reach its worker, on the monotonic clock, ms. */
  #unreachedMs = Number.NEGATIVE_INFINITY;
  #draining = false;
  #restarting = false;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#supervisor = new Supervisor({
      workers: options.workers,
      spawn: options.spawn,
      begin: () => options.given,
      listen: (server, wanted) => this.#listen(server, wanted),
      prepare: (worker) => this.#prepare(worker),
      onEnd: (worker, exit, unasked) => this.#ended(worker, exit, unasked),
      onLost: (worker, count) => this.#unreached(worker, count),
      onRetry: (reason) => options.say(`a worker did not start: ${messageOf(reason)}`),
    });
    this.closed = this.#supervisor.closed.then(() => this.#server?.close());
    this.#running.promise.catch(() => undefined);
  }

  /** Where it listens, without a token. */
  get url(): string {
    return `http://${formatAuthority(this.#address.host, this.#address.port)}`;
  }

  /** Held leases. */
  get leases(): number {
    return this.#leases.held;
  }

  /**
   * Starts the workers, binds the port and serves the control socket; once.
   *
   * @throws WorkerFailure, ProxyStartError, ControlError `already_running` (rejected)
   */
  async start(): Promise<void> {
    try {
      this.#address = await this.#supervisor.start();
      this.#running.resolve();
    } catch (error) {
      this.#running.reject(new ControlError('not_started', 'the proxy did not start'));
      await this.#server?.close();
      throw error;
    }
  }

  async status(): Promise<StatusReport> {
    return (await this.#report()).status;
  }

  async metrics(): Promise<string> {
    const { counted, status } = await this.#report();
    return metricsText(counted, status);
  }

  pause(): Promise<void> {
    return this.#throwSwitch({ paused: true });
  }

  resume(): Promise<void> {
    return this.#throwSwitch({ paused: false });
  }

  force(on: boolean): Promise<void> {
    return this.#throwSwitch({ force: on });
  }

  tee(on: boolean): Promise<void> {
    return this.#throwSwitch({ tee: on });
  }

  /** The first worker may refuse; then the others are not asked. */
  async reload(): Promise<Reloaded> {
    const first = await this.#anyServing();
    const reloaded = (await first.call('reload').catch(refuse)) as Reloaded;
    await this.#tellOthers(first, 'reload');
    // What the configuration now says of the switches holds for workers to come, too.
    const { status } = (await first.call('report').catch(refuse)) as WorkerReport;
    this.#switches = { paused: status.paused, force: status.force, tee: status.tee };
    return reloaded;
  }

  async restart(): Promise<Restarted> {
    if (this.#restarting || this.#draining) {
      throw new ControlError('busy', 'the proxy is restarting or ending already');
    }
    this.#restarting = true;
    try {
      await this.#anyServing();
      await this.#supervisor.restart(DRAIN_MS_MAX).catch(refuse);
    } finally {
      this.#restarting = false;
    }
    const serving = this.#supervisor.workers.filter((worker) => worker.serving);
    return { workers: serving.map(({ pid }) => pid) };
  }

  drain(ms = DRAIN_MS_MAX): void {
    this.#draining = true;
    this.#leases.end();
    this.#supervisor.drain(ms);
  }

  lease(): () => void {
    return this.#leases.take();
  }

  async #listen(server: net.Server, { host, port }: Address): Promise<number> {
    const bound = await listen(server, host, port).catch((error: unknown) => {
      if (this.#options.leased && isPortTaken(error)) return listen(server, host, 0);
      throw error;
    });
    this.#server = await serveControl(this.#options.home, this);
    return bound;
  }

  /** Makes a new worker what the others are, before it serves. */
  async #prepare(worker: WorkerProcess): Promise<void> {
    const lost = this.#lost.splice(0);
    if (lost.length > 0) await worker.call('lost', lost);
    let thrown: Partial<Switches> = {};
    // They may be thrown again meanwhile.
    while (thrown !== this.#switches && Object.keys(this.#switches).length > 0) {
      thrown = this.#switches;
      for (const [name, on] of Object.entries(thrown)) {
        await worker.call('switch', { [name]: on }).catch((error: unknown) => {
          this.#options.say(`worker ${worker.pid}: ${messageOf(error)}`);
        });
      }
    }
    // It has read the configuration as it is now; the others may have an older one.
    await this.#tellOthers(worker, 'reload');
  }

  #ended(worker: WorkerProcess, exit: Exit, unasked: boolean): void {
    const last = worker.lastReport as WorkerReport | null;
    if (last !== null) {
      this.#retired = this.#retired === null ? ended(last) : merge(ended(last), this.#retired);
    }
    if (!unasked || exit.code === 0) return;
    this.#lostCount += 1;
    this.#lost.push({ ...exit, exchangesOpen: last?.status.exchanges.open ?? null });
    const how = exit.signal ?? `exit status ${exit.code}`;
    this.#options.say(`worker ${exit.pid} ended (${how}); another takes its place`);
  }

  /** Said and put on record once, until there was peace for as long as a connection waits. */
  #unreached(worker: WorkerProcess, count: number): void {
    const now = performance.now();
    const isKnown = now - this.#unreachedMs < WORKER_WAIT_MS_MAX;
    this.#unreachedMs = now;
    if (isKnown) return;
    this.#options.say(
      `worker ${worker.pid} has no file descriptor free, and ${count} connections wait: ` +
        'raise the limit (ulimit -n), or end clients that hold many',
    );
    worker.call('unreached', count).catch(() => undefined);
  }

  /** All workers that have served, as one, with what ended ones counted. */
  async #report(): Promise<WorkerReport> {
    await this.#running.promise;
    const workers = this.#supervisor.workers.filter(({ servedMs }) => servedMs !== null);
    const asked = workers.toReversed().map(async (worker) => {
      worker.lastReport = await worker.call('report').catch(() => worker.lastReport);
      return worker.lastReport as WorkerReport | null;
    });
    const reports = [...(await Promise.all(asked)), this.#retired].filter((one) => one !== null);
    const [first, ...others] = reports;
    if (first === undefined) throw new ControlError('no_worker', NO_WORKER);
    const { counted, status } = others.reduce(merge, first);
    return { counted, status: this.#framed(status) };
  }

  /** What the supervisor's own process knows better than its workers. */
  #framed(status: StatusReport): StatusReport {
    const own = memoryUse();
    return {
      ...status,
      pid: process.pid,
      started: this.#startedMs / 1000,
      uptime_s: Math.round((Date.now() - this.#startedMs) / 1000),
      listen: this.#address,
      draining: this.#draining,
      leased: this.#options.leased,
      memory: {
        rss_bytes: status.memory.rss_bytes + own.rss,
        heap_bytes: status.memory.heap_bytes + own.heapUsed,
      },
      workers_lost: this.#lostCount,
    };
  }

  /** For all workers, also those to come; refused by one, it is thrown at none. */
  async #throwSwitch(change: Partial<Switches>): Promise<void> {
    const first = await this.#anyServing();
    await first.call('switch', change).catch(refuse);
    this.#switches = { ...this.#switches, ...change };
    await this.#tellOthers(first, 'switch', change);
  }

  /** A worker that ends meanwhile needs to be told nothing. */
  async #tellOthers(first: WorkerProcess, name: string, argument: unknown = null): Promise<void> {
    const others = this.#supervisor.workers.filter(
      (worker) => worker !== first && worker.servedMs !== null,
    );
    await Promise.allSettled(others.map((worker) => worker.call(name, argument)));
  }

  /** Waits, in bounded time, where none serves just now. */
  async #anyServing(): Promise<WorkerProcess> {
    await this.#running.promise;
    const until = performance.now() + WORKER_WAIT_MS_MAX;
    do {
      const serving = this.#supervisor.workers.find((worker) => worker.serving);
      if (serving !== undefined) return serving;
      await wait(POLL_MS);
    } while (performance.now() < until && !this.#draining);
    throw new ControlError('no_worker', NO_WORKER);
  }
}

const POLL_MS = 20;
const NO_WORKER = 'no worker process serves at the moment; the log says why';

/** A worker's refusal in the words of the control socket. */
function refuse(error: unknown): never {
  if (error instanceof WorkerFailure) throw new ControlError(error.code, error.message);
  throw error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
