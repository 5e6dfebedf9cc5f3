/**
 * The load of a measurement, a process of its own that is told over IPC what to do: a closed loop of so many
 * connections, each sending the next request when its answer is whole. What was measured is what ended
 * within the window, and the CPU that was used within it.
 */
import { createHistogram, type Histogram } from '../../src/drills/histogram.ts';
import { eachMark } from './answer-reader.ts';
import { bodyOf } from './bodies.ts';
import {
  type Connection,
  hostOf,
  type Listener,
  type Open,
  opener,
  type Request,
  requestOf,
} from './client.ts';
import { cpuReading } from './cpu.ts';
import type { Job, Measured, Times } from './types.ts';
import { bodyBytesOf, clockUs, type Model } from './wire.ts';

const ERRORS_MAX = 300;
/** After an error, so that a proxy that refuses is not called in a tight loop. */
const PAUSE_MS = 5;
const MIX: readonly Model[] = ['main', 'main', 'main', 'small'];

/** What all connections of a job share. */
interface Run {
  readonly job: Job;
  readonly open: Open;
  readonly requests: readonly Request[];
  readonly expected: number;
  readonly latency: Histogram;
  readonly firstByte: Histogram;
  readonly eventDelay: Histogram;
  measuring: boolean;
  over: boolean;
  started: number;
  exchanges: number;
  errors: number;
  firstError: string | null;
  readonly connections: Set<Connection>;
  finish(): void;
}

async function measure(job: Job): Promise<Measured> {
  const models = job.model === null ? MIX : [job.model];
  const stream = job.answer.kind === 'stream';
  const done = Promise.withResolvers<void>();
  const run: Run = {
    job,
    open: opener(job.access),
    requests: models.map((model) =>
      requestOf(bodyOf(job.body, model, stream), hostOf(job.access), job.newConnections),
    ),
    expected: bodyBytesOf(job.answer),
    latency: createHistogram(),
    firstByte: createHistogram(),
    eventDelay: createHistogram(),
    measuring: job.warmSeconds === 0,
    over: false,
    started: 0,
    exchanges: 0,
    errors: 0,
    firstError: null,
    connections: new Set(),
    finish: done.resolve,
  };
  for (let index = 0; index < job.connections; index += 1) {
    setTimeout(() => worker(run), (index * job.rampSeconds * 1000) / job.connections);
  }
  const timers: NodeJS.Timeout[] = [];
  const window = Promise.withResolvers<void>();
  const waiting = setTimeout(window.resolve, job.warmSeconds * 1000);
  timers.push(waiting);
  await Promise.race([window.promise, done.promise]);
  const before = cpuReading(job.pids, job.upstreamPid);
  const begun = clockUs();
  run.measuring = true;
  timers.push(setTimeout(done.resolve, job.seconds * 1000));
  await done.promise;
  run.measuring = false;
  const seconds = (clockUs() - begun) / 1e6;
  const cpu = cpuReading(job.pids, job.upstreamPid).since(before);
  run.over = true;
  for (const timer of timers) clearTimeout(timer);
  for (const connection of run.connections) connection.close();
  return {
    seconds,
    exchanges: run.exchanges,
    errors: run.errors,
    firstError: run.firstError,
    latency: timesOf(run.latency),
    firstByte: timesOf(run.firstByte),
    eventDelay: timesOf(run.eventDelay),
    cpu,
  };
}

function timesOf(histogram: Histogram): Times {
  return { count: histogram.count, quantiles: histogram.summary() };
}

/** One connection after the other, and on each one exchange after the other. */
function worker(run: Run): void {
  if (run.over) return;
  const paced = run.job.answer.kind === 'stream' && run.job.answer.everyMs > 0;
  let connection: Connection | null = null;
  let begun = clockUs();
  let heard = 0;

  const drop = (): void => {
    if (connection === null) return;
    run.connections.delete(connection);
    connection.close();
    connection = null;
  };
  const next = (): void => {
    const { exchanges } = run.job;
    if (run.over || connection === null) return;
    if (exchanges !== null && run.started >= exchanges) {
      drop();
      return;
    }
    const request = run.requests[run.started % run.requests.length];
    run.started += 1;
    heard = 0;
    if (!run.job.newConnections) begun = clockUs();
    if (request !== undefined) connection.send(request);
  };
  const listener: Listener = {
    data: (bytes) => {
      const now = heard === 0 || paced ? clockUs() : 0;
      if (heard === 0) heard = now;
      if (paced && run.measuring) {
        eachMark(bytes, (sentUs) => run.eventDelay.add(Math.max(0, now - sentUs) / 1000));
      }
    },
    end: (status, bodyBytes, usable) => {
      note(run, { begun, heard, status, bodyBytes });
      if (usable && !run.job.newConnections) {
        next();
        return;
      }
      drop();
      setImmediate(() => worker(run));
    },
    fail: (why) => {
      if (connection !== null) run.connections.delete(connection);
      connection = null;
      if (run.over) return;
      fault(run, why);
      setTimeout(() => worker(run), PAUSE_MS);
    },
  };
  begun = clockUs();
  run.open(listener, (opened) => {
    if (run.over) {
      opened.close();
      return;
    }
    connection = opened;
    run.connections.add(opened);
    next();
  });
}

interface Ended {
  readonly begun: number;
  readonly heard: number;
  readonly status: number;
  readonly bodyBytes: number;
}

function note(run: Run, { begun, heard, status, bodyBytes }: Ended): void {
  if (status !== 200) fault(run, `status ${status}`);
  else if (bodyBytes !== run.expected) fault(run, `${bodyBytes} of ${run.expected} bytes`);
  else if (run.measuring) {
    run.exchanges += 1;
    run.latency.add((clockUs() - begun) / 1000);
    run.firstByte.add((heard - begun) / 1000);
  }
  if (run.exchanges === run.job.exchanges) run.finish();
}

function fault(run: Run, why: string): void {
  run.errors += 1;
  run.firstError ??= why;
  if (run.errors >= ERRORS_MAX) run.finish();
}

process.on('message', (job: Job) => {
  void measure(job).then((measured) => process.send?.(measured));
});
process.on('disconnect', () => process.exit(0));
