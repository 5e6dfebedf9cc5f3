/**
 * One simulated upstream: a listener, a persona that answers, and the log of what came.
 */
import type { Readable } from 'node:stream';
import { TWIN_BODY_BYTES_MAX } from '../core/limits.ts';
import { deliver } from './deliver.ts';
import { listen, type WireExchange } from './listener.ts';
import { type Entry, type ReceivedLog, receivedLog } from './received.ts';
import {
  headerOf,
  type Persona,
  type Script,
  type TwinEndpoint,
  type TwinRequest,
} from './types.ts';

/** What makes an endpoint. */
export interface EndpointOptions {
  readonly host: string;
  readonly port: number;
  readonly basePath: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly key: string | null;
  readonly keep: number;
  readonly persona: Persona;
  /** The answer to a body above the limit. */
  readonly tooLarge: (request: TwinRequest) => Script;
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
  const entry = log.open({
    protocol: exchange.protocol,
    method: exchange.method,
    path: exchange.target,
    rawHeaders: exchange.fields,
    connection: exchange.connection,
  });
  watchEnd(exchange, entry);
  const declared = Number(headerOf(exchange.fields, 'content-length') ?? 0);
  const body = declared > TWIN_BODY_BYTES_MAX ? null : await readBody(exchange.input);
  if (body === 'aborted') return;
  const request: TwinRequest = {
    method: exchange.method,
    target: exchange.target,
    path: pathWithin(exchange.target, options.basePath),
    fields: exchange.fields,
    body: body ?? Buffer.alloc(0),
  };
  if (body === null) {
    // The answer goes out while the rest still comes: what is not read would stall the client.
    exchange.input.resume();
    await deliver(exchange, options.tooLarge(request), entry);
    return;
  }
  entry.received(body);
  await deliver(exchange, options.persona(request), entry);
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
