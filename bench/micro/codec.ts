/** Cells of the HTTP/1.1 codec, each next to Node's own parser and to a plain search of the bytes. */
import { createRequire } from 'node:module';
import { createRequestParser } from '../../src/core/http1/request-parser.ts';
import { createResponseParser } from '../../src/core/http1/response-parser.ts';
import { encodeChunk, encodeRequestHead, encodeResponseHead } from '../../src/core/http1/write.ts';
import type { Cell } from './cell.ts';
import {
  bodyOf,
  headOf,
  inPieces,
  REQUEST_FIELDS,
  RESPONSE_FIELDS,
  streamEvents,
} from './material.ts';

const KIB = 1024;
const READ_BYTES = 64 * KIB;
const TARGET = '/v1/messages?beta=true';
const BODYLESS = ['Content-Length', '0'] as const;

/** What is used of Node's parser, which its types do not have. */
interface NodeParser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): unknown;
}
interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
}
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as {
  readonly HTTPParser: NodeParserClass;
};

/** Without callbacks: it finds where fields and bodies are, and tells nobody. */
function nodeParser(kind: 'REQUEST' | 'RESPONSE'): NodeParser {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser[kind], {});
  return parser;
}

export function codecCells(): Cell[] {
  return [...heads(), ...bodies(), ...writing()];
}

function heads(): Cell[] {
  const request = headOf(`POST ${TARGET} HTTP/1.1`, [...REQUEST_FIELDS, BODYLESS]);
  const response = headOf('HTTP/1.1 200 OK', [...RESPONSE_FIELDS, BODYLESS]);
  const requests = requestReader();
  const responses = responseReader();
  const nodeRequests = nodeParser('REQUEST');
  const nodeResponses = nodeParser('RESPONSE');
  return [
    cell('head: request read', request, 'head: request read by node', () => requests(request)),
    cell('head: response read', response, 'head: response read by node', () =>
      responses([response]),
    ),
    cell('head: request read by node', request, null, () => nodeRequests.execute(request)),
    cell('head: response read by node', response, null, () => nodeResponses.execute(response)),
    cell('head: end of request searched', request, null, () => request.indexOf('\r\n\r\n')),
  ];
}

function bodies(): Cell[] {
  const chunked = Buffer.concat([
    headOf('HTTP/1.1 200 OK', [...RESPONSE_FIELDS, ['Transfer-Encoding', 'chunked']]),
    ...streamEvents().flatMap((event) => encodeChunk([event])),
    Buffer.from('0\r\n\r\n'),
  ]);
  const body = bodyOf(KIB * KIB, 'first');
  const sized = Buffer.concat([
    headOf('HTTP/1.1 200 OK', [...RESPONSE_FIELDS, ['Content-Length', String(body.length)]]),
    body,
  ]);
  const responses = responseReader();
  const node = nodeParser('RESPONSE');
  const chunkedPieces = inPieces(chunked, 4 * KIB);
  const sizedPieces = inPieces(sized, READ_BYTES);
  const executeAll = (pieces: readonly Buffer[]) => (): unknown => {
    for (const piece of pieces) node.execute(piece);
    return node;
  };
  return [
    cell('body: 107 chunks in 4 KiB', chunked, 'body: 107 chunks by node', () =>
      responses(chunkedPieces),
    ),
    cell('body: 107 chunks by node', chunked, null, executeAll(chunkedPieces)),
    cell('body: 1 MiB of Content-Length', sized, 'body: 1 MiB by node', () =>
      responses(sizedPieces),
    ),
    cell('body: 1 MiB by node', sized, null, executeAll(sizedPieces)),
  ];
}

function writing(): Cell[] {
  const request = headOf(`POST ${TARGET} HTTP/1.1`, REQUEST_FIELDS);
  const response = headOf('HTTP/1.1 200 OK', RESPONSE_FIELDS);
  const text = request.toString('latin1');
  return [
    cell('write: request head', request, 'write: the same text as bytes', () =>
      encodeRequestHead('POST', TARGET, REQUEST_FIELDS),
    ),
    cell('write: response head', response, 'write: the same text as bytes', () =>
      encodeResponseHead(200, 'OK', RESPONSE_FIELDS),
    ),
    cell('write: the same text as bytes', request, null, () => Buffer.from(text, 'latin1')),
  ];
}

function cell(name: string, bytes: Buffer, floor: string | null, run: () => unknown): Cell {
  return { name, bytes: bytes.length, floor, run };
}

/** Reads one request after another on one connection. */
function requestReader(): (bytes: Buffer) => number {
  let seen = 0;
  const parser = createRequestParser({
    onHead: (head) => {
      seen += head.fields.length;
    },
    onBody() {},
    onEnd: () => parser.next(),
    onError: refuse,
  });
  return (bytes) => {
    parser.push(bytes);
    return seen;
  };
}

/** Reads one answer after another on one connection. */
function responseReader(): (pieces: readonly Buffer[]) => number {
  let seen = 0;
  const parser = createResponseParser({
    onInterim() {},
    onHead: (head) => {
      seen += head.fields.length;
    },
    onBody: (wire) => {
      seen += wire.length;
    },
    onEnd() {},
    onError: refuse,
  });
  return (pieces) => {
    parser.expect('POST');
    for (const piece of pieces) parser.push(piece);
    return seen;
  };
}

function refuse({ code, detail }: { readonly code: string; readonly detail: string }): never {
  throw new Error(`the codec refuses the material: ${code}, ${detail}`);
}
