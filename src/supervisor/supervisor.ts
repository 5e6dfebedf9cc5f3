/**
 * Owns the listening socket, hands each connection to a worker process, and replaces workers that end
 * unasked or are to be renewed. It knows no policy, holds no credential and reads no byte of a
 * connection. Connections that come while no worker serves wait, in bounded number and time.
 */
import type { ChildProcess } from 'node:child_process';
import net from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import {
  CLIENT_CONNECTIONS_MAX,
  WORKER_RETRY_MS_MAX,
  WORKER_RETRY_MS_MIN,
  WORKER_STEADY_MS,
  WORKER_WAIT_MS_MAX,
} from '../core/limits.ts';
import type { Address } from './messages.ts';
import { type Exit, type Handed, WorkerProcess } from './worker-process.ts';

export interface SupervisorOptions {
  /** Worker processes, at least 1. */
  readonly workers: number;
  /** Starts a process with a channel (`ipc` in its `stdio`). */
  spawn(): ChildProcess;
  /** What a new worker is given. */
  begin(): unknown;
  /** Binds the server for the address that a worker asks for; returns the port. */
  listen(server: net.Server, wanted: Address): Promise<number>;
  /** A worker is ready; it is handed connections once this resolves. */
  prepare(worker: WorkerProcess): Promise<void>;
  /** A worker has ended; `unasked` where it had served and nobody here told it to end. */
  onEnd(worker: WorkerProcess, exit: Exit, unasked: boolean): void;
  /** So many connections did not reach a worker that lives: it has no descriptor free. They are tried again. */
  onLost(worker: WorkerProcess, count: number): void;
  /** A replacement did not start; the next try follows by itself. */
  onRetry(reason: unknown): void;
}

const SWEEPS = 10;

export class Supervisor {
  /** Resolves once it was drained and no worker lives. */
  readonly closed: Promise<void>;
  readonly #options: SupervisorOptions;
  readonly #server: net.Server;
  readonly #workers = new Set<WorkerProcess>();
  readonly #dismissed = new Set<WorkerProcess>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #sweep: NodeJS.Timeout;
  #queue: Handed[] = [];
  #port: number | null = null;
  #draining = false;
  #turn = 0;
  #failures = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.closed = this.#closed.promise;
    const sockets = { allowHalfOpen: true, noDelay: true, pauseOnConnect: true };
    this.#server = net.createServer(sockets, (socket) => {
      socket.on('error', () => undefined);
      this.#place({ socket, since: performance.now() });
    });
    this.#sweep = setInterval(() => this.#serveQueue(), WORKER_WAIT_MS_MAX / SWEEPS).unref();
  }

  /** All workers that live, oldest first. */
  get workers(): readonly WorkerProcess[] {
    return [...this.#workers];
  }

  /**
   * Starts the workers and listens; once.
   *
   * @returns the address that the workers asked for, with the port that was bound
   * @throws WorkerFailure where a worker does not start, and what `listen` throws (rejected)
   */
  async start(): Promise<Address> {
    try {
      const first = Array.from({ length: this.#options.workers }, () => this.#create());
      const wanted = await Promise.race(first.map((worker) => worker.ready));
      const port = await this.#options.listen(this.#server, wanted);
      this.#port = port;
      await Promise.all(first.map((worker) => this.#admit(worker)));
      return { host: wanted.host, port };
    } catch (error) {
      this.drain(0);
      await this.closed;
      throw error;
    }
  }

  /**
   * Starts a new worker for each that serves, which leaves once the new one serves.
   *
   * @param leaveMs for what is open in the old ones
   * @throws WorkerFailure (rejected) where a new one does not start; the old one stays
   */
  async restart(leaveMs: number): Promise<void> {
    for (const old of this.workers.filter((worker) => worker.serving)) {
      await this.#admit(this.#create());
      this.#dismiss(old, leaveMs);
    }
  }

  /** Takes no new connection; workers finish within `ms`. May be called again, with less time. */
  drain(ms: number): void {
    this.#draining = true;
    clearInterval(this.#sweep);
    this.#server.close();
    for (const { socket } of this.#queue.splice(0)) socket.destroy();
    for (const worker of this.#workers) this.#dismiss(worker, ms);
    if (this.#workers.size === 0) this.#closed.resolve();
  }

  #place(waiting: Handed): void {
    const serving = this.workers.filter((worker) => worker.hasRoom);
    this.#turn += 1;
    const worker = serving[this.#turn % serving.length];
    if (worker !== undefined) worker.hand(waiting);
    else if (this.#draining || this.#queue.length >= CLIENT_CONNECTIONS_MAX) {
      waiting.socket.destroy();
    } else this.#queue.push(waiting);
  }

  #serveQueue(): void {
    this.#placeAgain(this.#queue.splice(0));
    for (const worker of this.#workers) void worker.reclaim();
  }

  #placeAgain(connections: readonly Handed[]): void {
    const oldest = performance.now() - WORKER_WAIT_MS_MAX;
    for (const waiting of connections) {
      if (waiting.since < oldest) waiting.socket.destroy();
      else this.#place(waiting);
    }
  }

  #create(): WorkerProcess {
    const begin = { kind: 'begin', given: this.#options.begin(), port: this.#port } as const;
    const worker = new WorkerProcess(this.#options.spawn(), begin, {
      onLeaving: () => {
        if (worker.servedMs !== null && !this.#dismissed.has(worker)) {
          void this.#replace(worker.servedMs);
        }
      },
      onReturned: (connections) => {
        for (const { socket } of connections) this.#place({ socket, since: performance.now() });
      },
      onLost: (connections) => {
        this.#options.onLost(worker, connections.length);
        this.#placeAgain(connections);
      },
    });
    this.#workers.add(worker);
    void worker.gone.then((exit) => this.#ended(worker, exit));
    return worker;
  }

  #ended(worker: WorkerProcess, exit: Exit): void {
    this.#workers.delete(worker);
    const wasAsked = this.#dismissed.delete(worker);
    this.#options.onEnd(worker, exit, worker.servedMs !== null && !wasAsked);
    if (this.#draining && this.#workers.size === 0) this.#closed.resolve();
  }

  #dismiss(worker: WorkerProcess, ms: number): void {
    this.#dismissed.add(worker);
    worker.leave(ms);
  }

  async #admit(worker: WorkerProcess): Promise<void> {
    try {
      await worker.ready;
      await this.#options.prepare(worker);
    } catch (error) {
      this.#dismiss(worker, 0);
      throw error;
    }
    if (this.#draining || this.#port === null) this.#dismiss(worker, 0);
    else worker.serve(this.#port);
    this.#serveQueue();
  }

  async #replace(servedMs: number): Promise<void> {
    const wasSteady = performance.now() - servedMs >= WORKER_STEADY_MS;
    this.#failures = wasSteady ? 0 : this.#failures + 1;
    for (;;) {
      if (this.#failures > 0) {
        const ms = WORKER_RETRY_MS_MIN * 2 ** (this.#failures - 1);
        await wait(Math.min(ms, WORKER_RETRY_MS_MAX));
      }
      if (this.#draining) return;
      try {
        await this.#admit(this.#create());
        return;
      } catch (error) {
        this.#failures += 1;
        this.#options.onRetry(error);
      }
    }
  }
}
