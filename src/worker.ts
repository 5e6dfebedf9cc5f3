/**
 * A supervisor's worker: an engine whose connections, questions and orders come over the channel to
 * the supervisor. It never listens, and ends in order where the supervisor is gone.
 */
import type net from 'node:net';
import type { WorkerReport } from './admin/merge.ts';
import { DRAIN_MS_MAX, WORKER_REPORT_MS } from './core/limits.ts';
import type { Engine } from './engine.ts';
import type { LostWorker } from './fleet.ts';
import type { AnomalyRecord } from './ledger/record.ts';
import type { Failure, ToSupervisor, ToWorker } from './supervisor/messages.ts';

export interface WorkerOptions {
  /** Makes the engine of what the supervisor gives; what it throws is told to the supervisor. */
  engine(given: unknown): Promise<Engine>;
  /** An error as it travels. */
  failure(error: unknown): Failure;
}

/** The switches that can be thrown at run time. */
export interface Switches {
  readonly paused: boolean;
  readonly force: boolean;
  readonly tee: boolean;
}

/** Serves until the supervisor says to leave, or is gone. Resolves when all is closed. */
export async function runWorker(options: WorkerOptions): Promise<void> {
  ignoreTerminal();
  const begin = await firstMessage();
  // It was started ahead of a command that did not come to start anything.
  if (begin === null) return;
  let engine: Engine;
  try {
    engine = await options.engine(begin.given);
  } catch (error) {
    await tell({ kind: 'failed', failure: options.failure(error) });
    return;
  }
  if (begin.port !== null) engine.listensOn(begin.port);
  const report = reporter(engine);
  const over = Promise.withResolvers<void>();
  let leaving = false;
  const leave = (ms: number): void => {
    leaving = true;
    const ended = ms > 0 ? engine.drain(ms) : engine.close();
    void ended.then(over.resolve);
  };
  const leaveByItself = (): void => {
    void tell({ kind: 'leaving' });
    leave(leaving ? 0 : DRAIN_MS_MAX);
  };
  process.on('message', (message: ToWorker, socket?: net.Socket) => {
    if (message.kind === 'connection') accept(engine, message.id, socket);
    else if (message.kind === 'call') void answer(engine, options, message);
    else if (message.kind === 'leave') leave(message.ms);
    else if (message.kind === 'bound') engine.listensOn(message.port);
  });
  process.on('SIGTERM', leaveByItself);
  // The supervisor died: its port is free, and whoever takes it shall not find us in the way.
  process.once('disconnect', () => leave(DRAIN_MS_MAX));
  const { host, port } = engine.wanted;
  await tell({ kind: 'ready', wanted: { host, port } });
  await over.promise;
  await report.last();
}

/** A terminal's signals go to every process of it; they are for the supervisor to obey. */
function ignoreTerminal(): void {
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
}

/** Null where the supervisor is gone before it said anything. */
async function firstMessage(): Promise<(ToWorker & { kind: 'begin' }) | null> {
  const { promise, resolve } = Promise.withResolvers<ToWorker | null>();
  const gone = (): void => resolve(null);
  process.once('message', resolve);
  process.once('disconnect', gone);
  if (!process.connected) gone();
  const message = await promise;
  process.removeListener('disconnect', gone);
  if (message === null || message.kind === 'begin') return message;
  throw new Error(`the supervisor began with ${message.kind}`);
}

function accept(engine: Engine, id: number, socket: net.Socket | undefined): void {
  // Said before the first byte is read: until then the supervisor could give it to another.
  void tell({ kind: 'taken', id });
  // A client that has left meanwhile leaves none.
  if (socket === undefined) return;
  // The channel makes sockets without it.
  socket.allowHalfOpen = true;
  engine.accept(socket);
}

async function answer(
  engine: Engine,
  { failure }: WorkerOptions,
  { id, name, argument }: ToWorker & { kind: 'call' },
): Promise<void> {
  try {
    await tell({ kind: 'answer', id, value: await call(engine, name, argument) });
  } catch (error) {
    await tell({ kind: 'refusal', id, failure: failure(error) });
  }
}

function call(engine: Engine, name: string, argument: unknown): unknown {
  switch (name) {
    case 'report':
      return reportOf(engine);
    case 'switch':
      return throwSwitches(engine, argument as Partial<Switches>);
    case 'reload':
      return engine.reload();
    case 'here':
      return null;
    case 'unreached':
      return recordUnreached(engine, Number(argument));
    case 'lost':
      return recordLost(engine, argument as readonly LostWorker[]);
    default:
      throw new Error(`a worker does not know ${name}`);
  }
}

/** Only those that are named; one call names one. */
function throwSwitches(engine: Engine, { paused, force, tee }: Partial<Switches>): null {
  if (tee !== undefined) engine.tee(tee);
  if (force !== undefined) engine.force(force);
  if (paused === true) engine.pause();
  if (paused === false) engine.resume();
  return null;
}

/** One anomaly for each worker that ended unasked: what it had under way has no record of its own. */
function recordLost(engine: Engine, lost: readonly LostWorker[]): null {
  for (const { pid, code, signal, exchangesOpen } of lost) {
    const open =
      exchangesOpen === null ? '' : `; ${exchangesOpen} exchanges were open at its last report`;
    const detail = `worker ${pid} ended by ${signal ?? `exit status ${code}`}${open}`;
    engine.anomaly(internal('worker_lost', detail));
  }
  return null;
}

function recordUnreached(engine: Engine, count: number): null {
  const detail = `${count} connections did not reach worker ${process.pid}; they are tried again`;
  engine.anomaly(internal('out_of_descriptors', detail));
  return null;
}

function internal(code: string, detail: string): AnomalyRecord {
  const ts = Date.now() / 1000;
  const none = { rid: null, lane: null, status: null, attempt: 0, backoff_ms: 0 };
  return { ts, kind: 'internal', code, detail, ...none };
}

function reportOf(engine: Engine): WorkerReport {
  return { status: engine.status(), counted: engine.counted() };
}

/** Tells the counts now and then, while they change, and once more at the end. */
function reporter(engine: Engine): { last(): Promise<void> } {
  let told = -1;
  const report = (): Promise<void> => {
    const value = reportOf(engine);
    const { open, total } = value.status.exchanges;
    if (open + total === told) return Promise.resolve();
    told = open + total;
    return tell({ kind: 'report', report: value });
  };
  const timer = setInterval(() => void report(), WORKER_REPORT_MS).unref();
  return {
    last: async () => {
      clearInterval(timer);
      told = -1;
      await report();
    },
  };
}

/** Never rejects: a supervisor that is gone hears nothing. */
function tell(message: ToSupervisor): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}
