/**
 * One worker process as its supervisor sees it: what it was handed and has not taken yet, what it was
 * asked and has not answered, and how it ended.
 *
 * A connection stays open here until the worker says that it took it, and the worker says so before it
 * reads a byte; so a connection that a worker did not live to take is whole, and can go to another.
 */
import type { ChildProcess } from 'node:child_process';
import type net from 'node:net';
import {
  CLIENT_CONNECTIONS_MAX,
  WORKER_CALL_MS_MAX,
  WORKER_END_MS_MAX,
  WORKER_START_MS_MAX,
} from '../core/limits.ts';
import { type Address, type ToSupervisor, type ToWorker, WorkerFailure } from './messages.ts';

/** How a process ended. */
export interface Exit {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerEvents {
  /** It takes no more connections, for whatever reason; called once. */
  onLeaving(): void;
  /** Connections that it did not live to take. */
  onReturned(connections: readonly Handed[]): void;
  /** Connections that did not reach it, which lives: it is out of file descriptors. */
  onLost(connections: readonly Handed[]): void;
}

/** A connection on its way to a worker. */
export interface Handed {
  readonly socket: net.Socket;
  /** When it came, on the monotonic clock, ms. */
  readonly since: number;
}

type State = 'starting' | 'serving' | 'leaving' | 'gone';
type Answer = PromiseWithResolvers<unknown>;

export class WorkerProcess {
  readonly pid: number;
  /** Resolves when it can serve. @throws WorkerFailure (rejected) */
  readonly ready: Promise<Address>;
  readonly gone: Promise<Exit>;
  /** When it began to serve, on the monotonic clock; null before. */
  servedMs: number | null = null;
  /** What it told last of itself, null before the first time. */
  lastReport: unknown = null;
  readonly #child: ChildProcess;
  readonly #events: WorkerEvents;
  readonly #ready = Promise.withResolvers<Address>();
  readonly #handed = new Map<number, Handed>();
  readonly #asked = new Map<number, Answer>();
  #state: State = 'starting';
  #lastId = 0;
  #isReclaiming = false;

  /** @param child just spawned, with a channel */
  constructor(child: ChildProcess, begin: ToWorker, events: WorkerEvents) {
    this.#child = child;
    this.#events = events;
    this.pid = child.pid ?? 0;
    this.ready = this.#ready.promise;
    this.ready.catch(() => undefined);
    const gone = Promise.withResolvers<Exit>();
    this.gone = gone.promise;
    const late = setTimeout(() => this.kill(), WORKER_START_MS_MAX);
    this.ready.then(
      () => clearTimeout(late),
      () => clearTimeout(late),
    );
    child.on('message', (message) => this.#hear(message as ToSupervisor));
    child.once('error', () => gone.resolve({ pid: this.pid, code: null, signal: null }));
    // After the last message, which `exit` would not wait for.
    child.once('close', (code, signal) => gone.resolve({ pid: this.pid, code, signal }));
    this.gone.then((exit) => this.#end(exit));
    this.#send(begin);
  }

  get serving(): boolean {
    return this.#state === 'serving';
  }

  /** May be handed another connection: it serves, and has not too many that it did not take yet. */
  get hasRoom(): boolean {
    return this.serving && this.#handed.size < CLIENT_CONNECTIONS_MAX;
  }

  /** From now on it may be handed connections. */
  serve(port: number): void {
    if (this.#state !== 'starting') return;
    this.#send({ kind: 'bound', port });
    this.#state = 'serving';
    this.servedMs = performance.now();
  }

  hand(handed: Handed): void {
    const { socket } = handed;
    this.#lastId += 1;
    const id = this.#lastId;
    this.#handed.set(id, handed);
    // Refused only where the channel is closed: then the process is about to be gone.
    this.#child.send({ kind: 'connection', id }, socket, { keepOpen: true }, () => undefined);
  }

  /** Asks it. @throws WorkerFailure (rejected) where it refuses, ends first or does not answer in time */
  call(name: string, argument: unknown = null): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => answer.reject(unanswered(this.pid)), WORKER_CALL_MS_MAX);
    this.#asked.set(id, answer);
    if (this.#state === 'gone') answer.reject(unanswered(this.pid));
    else this.#send({ kind: 'call', id, name, argument });
    return answer.promise.finally(() => {
      clearTimeout(timer);
      this.#asked.delete(id);
    });
  }

  /**
   * Takes back what did not reach it. A process without a free descriptor gets the message of a connection
   * never; but messages come in order, so what it has not taken when it answers is not there.
   */
  async reclaim(): Promise<void> {
    const ids = [...this.#handed.keys()];
    if (ids.length === 0 || this.#isReclaiming) return;
    this.#isReclaiming = true;
    const isHere = await this.call('here').then(
      () => true,
      (error: unknown) => error instanceof WorkerFailure && error.code !== SILENT,
    );
    this.#isReclaiming = false;
    if (!isHere) return;
    const lost: Handed[] = [];
    for (const id of ids) {
      const handed = this.#handed.get(id);
      if (handed !== undefined) lost.push(handed);
      this.#handed.delete(id);
    }
    if (lost.length > 0) this.#events.onLost(lost);
  }

  /** Lets it finish what is open for `ms` at most. May be called again, with less time. */
  leave(ms: number): void {
    this.#leaving();
    this.#send({ kind: 'leave', ms });
    const late = setTimeout(() => this.kill(), ms + WORKER_END_MS_MAX);
    this.gone.then(() => clearTimeout(late));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #hear(message: ToSupervisor): void {
    switch (message.kind) {
      case 'ready':
        this.#ready.resolve(message.wanted);
        break;
      case 'failed':
        this.#ready.reject(new WorkerFailure(message.failure));
        break;
      case 'taken':
        this.#handed.get(message.id)?.socket.destroy();
        this.#handed.delete(message.id);
        break;
      case 'answer':
        this.#asked.get(message.id)?.resolve(message.value);
        break;
      case 'refusal':
        this.#asked.get(message.id)?.reject(new WorkerFailure(message.failure));
        break;
      case 'report':
        this.lastReport = message.report;
        break;
      case 'leaving':
        this.#leaving();
        break;
    }
  }

  #leaving(): void {
    if (this.#state !== 'starting' && this.#state !== 'serving') return;
    this.#state = 'leaving';
    this.#events.onLeaving();
  }

  #end({ code, signal }: Exit): void {
    this.#leaving();
    this.#state = 'gone';
    const how = signal ?? `exit status ${code}`;
    const message = `a worker ended before it could serve (${how})`;
    this.#ready.reject(new WorkerFailure({ code: 'worker_failed', message, exitCode: 1 }));
    for (const answer of this.#asked.values()) answer.reject(unanswered(this.pid));
    const returned = [...this.#handed.values()];
    this.#handed.clear();
    this.#events.onReturned(returned);
  }

  #send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }
}

const SILENT = 'worker_silent';

function unanswered(pid: number): WorkerFailure {
  const message = `worker ${pid} did not answer`;
  return new WorkerFailure({ code: SILENT, message, exitCode: 1 });
}
