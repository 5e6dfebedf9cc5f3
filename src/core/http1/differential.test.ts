/**
 * The claim that the codec is built on, tried: what it accepts, node:http accepts too and reads the
 * same. Generated and kept bytes go through both, node's side over real loopback sockets.
 *
 * A longer run: `FUZZ_CASES=100000 FUZZ_SEED=7 node --test src/core/http1/differential.test.ts`.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import type { Fields, ResponseHead } from '../message.ts';
import { type CorpusCase, parseCorpus } from './testing/corpus.ts';
import { createRandom, generateRequests, generateResponse } from './testing/generate.ts';
import { type Trace, traceRequests, traceResponse } from './testing/trace.ts';

const CASES = Number(process.env['FUZZ_CASES'] ?? 2500);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_101);
const AT_ONCE = 32;

/** What node read of one message. */
interface NodeMessage {
  readonly start: readonly string[];
  readonly fields: readonly string[];
  data: string;
  trailers: readonly string[];
  ended: boolean;
}

interface NodeTrace {
  readonly messages: NodeMessage[];
  readonly interims: NodeMessage[];
  rest: string;
}

/** Our view in node's terms. */
interface OurMessage {
  readonly start: readonly string[];
  readonly fields: Fields;
  readonly data: string;
  readonly trailers: Fields;
  readonly ended: boolean;
}

let server: http.Server;
let upstream: net.Server;
/** Requests: what node read on a connection, by the client's port, once it is closed. */
const closed = new Map<number, (trace: NodeTrace) => void>();
/** Answers: the bytes to send, by the number in the request's target. */
const answers = new Map<string, Buffer>();

/** How much was compared. */
const compared = { cases: 0, whole: 0 };

before(async () => {
  server = createReferenceServer();
  upstream = createFakeUpstream();
  for (const each of [server, upstream]) {
    await new Promise<void>((resolve) => {
      each.listen(0, '127.0.0.1', resolve);
    });
  }
});

after(() => {
  server.close();
  upstream.close();
});

test('what is accepted of a client, node:http reads the same', async () => {
  await inParallel(CASES, async (seed) => {
    const bytes = generateRequests(createRandom(seed));
    await compareRequests(bytes, `FUZZ_CASES=1 FUZZ_SEED=${seed}`);
  });
});

test('what is accepted of an upstream, node:http reads the same', async () => {
  await inParallel(CASES, async (seed) => {
    const { method, bytes } = generateResponse(createRandom(seed));
    await compareResponse(method, bytes, `FUZZ_CASES=1 FUZZ_SEED=${seed}`);
  });
});

test('a fair share of what is compared was accepted', { skip: CASES < 1000 }, () => {
  // Else the two tests above would prove little.
  assert(
    compared.whole > compared.cases / 2,
    `${compared.whole} messages of ${compared.cases} cases`,
  );
});

test('what is accepted of the kept corpus, node:http reads the same', async () => {
  for (const kept of readCorpus()) {
    if (kept.method === '') await compareRequests(kept.bytes, kept.name);
    else await compareResponse(kept.method, kept.bytes, kept.name);
  }
});

async function inParallel(cases: number, run: (seed: number) => Promise<void>): Promise<void> {
  let seed = SEED;
  const worker = async (): Promise<void> => {
    while (seed < SEED + cases) {
      seed += 1;
      await run(seed - 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function readCorpus(): CorpusCase[] {
  const folder = new URL('corpus/', import.meta.url);
  return readdirSync(folder).flatMap((name) =>
    parseCorpus(readFileSync(new URL(name, folder), 'utf8')),
  );
}

async function compareRequests(bytes: Buffer, name: string): Promise<void> {
  compared.cases += 1;
  const ours = traceRequests([bytes]);
  const theirs = await readByServer(bytes);
  const messages = ours.messages.map(({ head, ...message }) => ({
    ...message,
    start: [head.version, head.method, head.target],
    fields: head.fields,
  }));
  const context = `${name} ${JSON.stringify(bytes.toString('latin1'))}`;
  compareMessages(messages, theirs.messages, context);
  // Where we let go of the connection (`keep-alive, close`), node may read on.
  if (ours.error === null && !ours.isLetGo) {
    assert.equal(theirs.messages.length, messages.length, `node reads more: ${context}`);
  }
  if (ours.isSwitched) {
    assert.equal(theirs.rest, ours.rest, `bytes behind CONNECT: ${context}`);
  }
}

async function compareResponse(method: string, bytes: Buffer, name: string): Promise<void> {
  compared.cases += 1;
  const ours = traceResponse(method, [bytes]);
  const first = ours.interims[0] ?? ours.messages[0]?.head;
  // Node's client takes every answer to CONNECT for the beginning of a tunnel, a refusal too.
  if (method === 'CONNECT' && first !== undefined && Math.floor(first.status / 100) !== 2) return;
  const theirs = await readByClient(method, bytes);
  const context = `${name} ${method} ${JSON.stringify(bytes.toString('latin1'))}`;
  const interims = ours.interims.map((head) => ({
    start: [head.version, String(head.status), head.reason],
    fields: head.fields,
    data: '',
    trailers: [],
    ended: true,
  }));
  compareMessages(interims, theirs.interims, context);
  compareMessages(ours.messages.map(inNodesTerms), theirs.messages, context);
  if (ours.isSwitched) assert.equal(theirs.rest, ours.rest, `bytes behind a switch: ${context}`);
}

function inNodesTerms(message: Trace<ResponseHead>['messages'][number]): OurMessage {
  const { head } = message;
  return {
    ...message,
    start: [head.version, String(head.status), head.reason],
    fields: head.fields,
  };
}

/** Each of ours is one of theirs, at the same place. They may have read more. */
function compareMessages(
  ours: readonly OurMessage[],
  theirs: readonly NodeMessage[],
  context: string,
): void {
  for (const [i, our] of ours.entries()) {
    const their = theirs[i];
    assert(their !== undefined, `node refuses message ${i}: ${context}`);
    assert.deepEqual(their.start, our.start, `start line of message ${i}: ${context}`);
    assert.deepEqual(their.fields, our.fields.flat(), `fields of message ${i}: ${context}`);
    if (!our.ended) continue;
    compared.whole += 1;
    assert(their.ended, `node does not see the end of message ${i}: ${context}`);
    assert.equal(their.data, our.data, `body of message ${i}: ${context}`);
    assert.deepEqual(their.trailers, our.trailers.flat(), `trailers of message ${i}: ${context}`);
  }
}

function createReferenceServer(): http.Server {
  const traces = new WeakMap<net.Socket, NodeTrace>();
  const traceOf = (socket: net.Socket): NodeTrace => {
    const trace = traces.get(socket);
    assert(trace !== undefined);
    return trace;
  };
  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    response.on('error', ignore);
    record(request, traceOf(request.socket).messages, requestStart(request), () => response.end());
  };
  const reference = http.createServer({ maxHeaderSize: 128 * 1024, requestTimeout: 0 });
  // Else the end of the client's bytes would abort requests that are whole but unanswered.
  Object.assign(reference, { httpAllowHalfOpen: true });
  reference.on('connection', (socket: net.Socket) => {
    const port = socket.remotePort ?? 0;
    const trace: NodeTrace = { messages: [], interims: [], rest: '' };
    traces.set(socket, trace);
    socket.on('error', ignore);
    socket.on('close', () => closed.get(port)?.(trace));
    // Node leaves a connection open for good when the body of a request with an (ignored) Upgrade is
    // broken. All that was read has been delivered some turns after the end.
    socket.on('end', () => afterTurns(20, () => socket.destroy()));
  });
  for (const name of ['request', 'checkContinue', 'checkExpectation'])
    reference.on(name, onRequest);
  reference.on('connect', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    const trace = traceOf(request.socket);
    record(request, trace.messages, requestStart(request), ignore);
    trace.rest = head.toString('latin1');
    socket.on('data', (bytes: Buffer) => {
      trace.rest += bytes.toString('latin1');
    });
    socket.on('end', () => socket.end());
  });
  reference.on('clientError', (_, socket) => {
    // Later, so that what was read before the error is delivered.
    setImmediate(() => socket.destroy());
  });
  return reference;
}

function createFakeUpstream(): net.Server {
  return net.createServer((socket) => {
    let request = '';
    socket.on('error', ignore);
    socket.on('data', (bytes) => {
      request += bytes.toString('latin1');
      if (!request.includes('\r\n\r\n')) return;
      const id = /case-([0-9]+)/.exec(request)?.[1] ?? '';
      socket.removeAllListeners('data');
      socket.resume();
      socket.end(answers.get(id) ?? '');
    });
  });
}

/** Sends bytes to node's server and gives what it read. */
function readByServer(bytes: Buffer): Promise<NodeTrace> {
  return new Promise((resolve) => {
    const socket = net.connect({ port: portOf(server), host: '127.0.0.1' });
    socket.on('error', ignore);
    socket.on('connect', () => {
      const port = socket.localPort ?? 0;
      closed.set(port, (trace) => {
        closed.delete(port);
        socket.destroy();
        resolve(trace);
      });
      socket.end(bytes);
    });
    socket.resume();
  });
}

let lastId = 0;

/** Lets node's client read the bytes as the answer to a request and gives what it read. */
function readByClient(method: string, bytes: Buffer): Promise<NodeTrace> {
  lastId += 1;
  const id = String(lastId);
  answers.set(id, bytes);
  const trace: NodeTrace = { messages: [], interims: [], rest: '' };
  return new Promise((resolve) => {
    const path = method === 'CONNECT' ? `case-${id}:443` : `/case-${id}`;
    const request = http.request({
      port: portOf(upstream),
      host: '127.0.0.1',
      method,
      path,
      agent: false,
      maxHeaderSize: 128 * 1024,
    });
    request.on('error', ignore);
    request.on('information', (info) => {
      trace.interims.push({
        start: [info.httpVersion, String(info.statusCode), info.statusMessage],
        fields: info.rawHeaders,
        data: '',
        trailers: [],
        ended: true,
      });
    });
    request.on('response', (response) => {
      record(response, trace.messages, responseStart(response), ignore);
    });
    const onSwitch = (response: http.IncomingMessage, socket: net.Socket, head: Buffer): void => {
      record(response, trace.messages, responseStart(response), ignore);
      trace.rest = head.toString('latin1');
      socket.on('error', ignore);
      socket.on('data', (more: Buffer) => {
        trace.rest += more.toString('latin1');
      });
      socket.on('end', () => socket.end());
    };
    request.on('upgrade', onSwitch);
    request.on('connect', onSwitch);
    request.on('socket', (socket) => {
      socket.on('close', () => {
        answers.delete(id);
        // After the request's own listeners, and after the last data of its answer.
        setImmediate(() => resolve(trace));
      });
    });
    request.end();
  });
}

function record(
  message: http.IncomingMessage,
  into: NodeMessage[],
  start: readonly string[],
  onEnd: () => void,
): void {
  const read: NodeMessage = {
    start,
    fields: message.rawHeaders,
    data: '',
    trailers: [],
    ended: false,
  };
  into.push(read);
  message.on('error', ignore);
  message.on('data', (bytes: Buffer) => {
    read.data += bytes.toString('latin1');
  });
  message.on('end', () => {
    read.ended = message.complete;
    read.trailers = message.rawTrailers;
    onEnd();
  });
}

function requestStart(message: http.IncomingMessage): string[] {
  return [message.httpVersion, message.method ?? '', message.url ?? ''];
}

function responseStart(message: http.IncomingMessage): string[] {
  return [message.httpVersion, String(message.statusCode), message.statusMessage ?? ''];
}

function portOf(listening: net.Server): number {
  const address = listening.address();
  assert(address !== null && typeof address !== 'string');
  return address.port;
}

function afterTurns(turns: number, run: () => void): void {
  setImmediate(() => (turns === 0 ? run() : afterTurns(turns - 1, run)));
}

function ignore(): void {
  // What fails here shows in what was read.
}
