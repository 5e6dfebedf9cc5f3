/**
 * One simulated upstream: a listener, a persona that answers, the faults that befall its answers, and
 * the log of what came.
 */
import type { Readable } from 'node:stream';
import { TWIN_BODY_BYTES_MAX } from '../core/limits.ts';
import type { PersonaParts } from './anthropic.ts';
import { answerControl, isControlCall } from './control-calls.ts';
import { type Audience, deliver } from './deliver.ts';
import { spoil } from './fault-script.ts';
import type { FaultEngine, Verdict } from './faults.ts';
import { listen, type WireExchange } from './listener.ts';
import { type Entry, type ReceivedLog, receivedLog } from './received.ts';
import {
  headerOf,
  type PersonaName,
  type Script,
  type TwinEndpoint,
  type TwinRequest,
} from './types.ts';

/** What makes an endpoint. */
export interface EndpointOptions extends PersonaParts {
  readonly name: PersonaName;
  readonly faults: FaultEngine;
  readonly host: string;
  readonly port: number;
  readonly basePath: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly key: string | null;
  readonly keep: number;
}

/** A running endpoint. */
export interface RunningEndpoint {
  readonly endpoint: TwinEndpoint;
  close(): Promise<void>;
}

/** Starts an endpoint; rejects when its port can not be bound. */
export async function startEndpoint(options: EndpointOptions): Promise<RunningEndpoint> {
  const log = receivedLog(options.keep);
  const listener = await listen({
    host: options.host,
    port: options.port,
    certPem: options.certPem,
    keyPem: options.keyPem,
    onConnection: () => options.faults.connection(options.name),
    onExchange: (exchange) => {
      serve(exchange, log, options).catch((cause: unknown) => {
        // A fault of the twin itself must fail the test that met it, not hang it.
        exchange.output.destroy(cause instanceof Error ? cause : new Error(String(cause)));
      });
    },
  });
  return {
    endpoint: {
      host: options.host,
      port: listener.port,
      origin: `https://${options.host}:${listener.port}`,
      basePath: options.basePath,
      ca: options.caPem,
      key: options.key,
      requests: log.requests,
      clear: log.clear,
      connections: listener.connections,
      waitFor: log.waitFor,
    },
    close: listener.close,
  };
}

async function serve(
  exchange: WireExchange,
  log: ReceivedLog,
  options: EndpointOptions,
): Promise<void> {
  if (isControlCall(exchange.target)) return serveControl(exchange, log, options);
  const entry = log.open({
    protocol: exchange.protocol,
    method: exchange.method,
    path: exchange.target,
    rawHeaders: exchange.fields,
    connection: exchange.connection.id,
  });
  if (exchange.connection.takeSlow()) entry.fault('slow_tls');
  watchEnd(exchange, entry);
  const declared = Number(headerOf(exchange.fields, 'content-length') ?? 0);
  const body = declared > TWIN_BODY_BYTES_MAX ? null : await readBody(exchange.input);
  if (body === 'aborted') return;
  const request = requestOf(exchange, options, body);
  if (body === null) {
    // The answer goes out while the rest still comes: what is not read would stall the client.
    exchange.input.resume();
    await deliver(exchange, options.fail(request, { status: 413 }), entry);
    return;
  }
  entry.received(body);
  const { protocol } = exchange;
  const verdict = options.faults.request(options.name, { request, protocol });
  exchange.output.once('close', verdict.release);
  // Closed while it was read, it never closes again.
  if (exchange.output.destroyed) verdict.release();
  if (verdict.fault !== null) entry.fault(verdict.fault.kind);
  await deliver(exchange, scriptFor(request, verdict, options), entry);
}

function scriptFor(
  request: TwinRequest,
  { fault, share }: Verdict,
  { persona, fail }: EndpointOptions,
): Script {
  if (fault === null) return persona(request);
  return spoil(fault, {
    answer: () => persona(request),
    plain: () => persona({ ...request, travel: 'plain' }),
    zipped: () => persona({ ...request, travel: 'gzip' }),
    fail: (spec) => fail(request, spec),
    share,
  });
}

function requestOf(
  exchange: WireExchange,
  { basePath }: EndpointOptions,
  body: Buffer | null,
): TwinRequest {
  return {
    method: exchange.method,
    target: exchange.target,
    path: pathWithin(exchange.target, basePath),
    fields: exchange.fields,
    body: body ?? Buffer.alloc(0),
  };
}

const NOBODY: Audience = { head: () => {}, sent: () => {}, broken: () => {} };

async function serveControl(
  exchange: WireExchange,
  log: ReceivedLog,
  options: EndpointOptions,
): Promise<void> {
  const body = await readBody(exchange.input);
  if (body === 'aborted') return;
  const request = requestOf(exchange, options, body);
  const answer = await answerControl(request, { faults: options.faults, log });
  await deliver(exchange, answer, NOBODY);
}

function watchEnd(exchange: WireExchange, entry: Entry): void {
  let over = false;
  const settle = (): void => {
    if (over) return;
    over = true;
    if (exchange.delivered()) entry.ended();
    else entry.aborted();
  };
  exchange.output.once('finish', settle);
  exchange.output.once('close', settle);
}

/** The whole body; null where it is larger than the API takes, `aborted` where the client left. */
function readBody(input: Readable): Promise<Buffer | null | 'aborted'> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let length = 0;
    input.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > TWIN_BODY_BYTES_MAX) {
        pieces.length = 0;
        resolve(null);
        return;
      }
      pieces.push(piece);
    });
    input.once('end', () => resolve(Buffer.concat(pieces)));
    input.once('close', () => resolve('aborted'));
  });
}

/** The path below the base path and without the query; null where it lies elsewhere. */
function pathWithin(target: string, basePath: string): string | null {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!path.startsWith(basePath)) return null;
  const rest = path.slice(basePath.length);
  return rest === '' || rest.startsWith('/') ? rest : null;
}
