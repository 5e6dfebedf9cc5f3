/** A connection of the generator: it sends a request made beforehand and says when the answer has come. */
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { createAnswerReader } from './answer-reader.ts';
import type { Access } from './types.ts';
import { API_HOST, CLIENT_KEY, PATH } from './wire.ts';

/** What a connection tells of its exchange. */
export interface Listener {
  /** Something of the answer's came. */
  data(bytes: Buffer): void;
  /** The answer is whole. @param usable the connection may serve another */
  end(status: number, bodyBytes: number, usable: boolean): void;
  /** The exchange, or the connection before it, has failed. The connection is gone. */
  fail(why: string): void;
}

export interface Connection {
  /** Sends a request; its body as `request` made it. */
  send(request: Request): void;
  close(): void;
}

/** A request as each protocol needs it. */
export interface Request {
  readonly body: Buffer;
  /** Head and body of HTTP/1.1. */
  readonly wire: Buffer;
}

const FIELDS = {
  authorization: CLIENT_KEY,
  'anthropic-version': '2023-06-01',
  'user-agent': 'bench-agent/1.0',
  accept: 'application/json',
  'content-type': 'application/json',
} as const;

/** @param host what it asks for: the API, or the proxy itself in gateway mode */
export function requestOf(body: Buffer, host: string, close: boolean): Request {
  const fields = Object.entries(FIELDS).map(([name, value]) => `${name}: ${value}\r\n`);
  const head =
    `POST ${PATH} HTTP/1.1\r\nhost: ${host}\r\nconnection: ${close ? 'close' : 'keep-alive'}\r\n` +
    `${fields.join('')}content-length: ${body.length}\r\n\r\n`;
  return { body, wire: Buffer.concat([Buffer.from(head), body]) };
}

/** What a request to it has for its host. */
export function hostOf({ by, port }: Access): string {
  return by === 'plain' ? `127.0.0.1:${port}` : API_HOST;
}

/** Opens connections, each ready when it is called back. */
export type Open = (listener: Listener, ready: (connection: Connection) => void) => void;

export function opener(access: Access): Open {
  const context = access.ca === null ? null : tls.createSecureContext({ ca: access.ca });
  return (listener, ready) => {
    const socket = net.connect({ host: '127.0.0.1', port: access.port, noDelay: true });
    const fail = (error: Error): void => {
      socket.destroy();
      listener.fail(error.message);
    };
    socket.once('error', fail);
    const serve = (stream: Socket): void => {
      socket.removeListener('error', fail);
      ready(access.http2 ? h2Connection(stream, listener) : h1Connection(stream, listener));
    };
    const secure = (): void => {
      if (context === null) serve(socket);
      else handshake(socket, { context, http2: access.http2 }, serve, fail);
    };
    socket.once('connect', () => {
      if (access.by === 'connect') tunnel(socket, secure, fail);
      else secure();
    });
  };
}

function tunnel(socket: Socket, done: () => void, fail: (error: Error) => void): void {
  socket.write(`CONNECT ${API_HOST}:443 HTTP/1.1\r\nHost: ${API_HOST}:443\r\n\r\n`);
  let head = '';
  const hear = (data: Buffer): void => {
    head += data.toString('latin1');
    if (!head.includes('\r\n\r\n')) return;
    socket.removeListener('data', hear);
    socket.removeListener('close', gone);
    if (/^HTTP\/1\.1 200 /.test(head)) done();
    else fail(new Error(`CONNECT: ${head.slice(0, 100)}`));
  };
  const gone = (): void => fail(new Error('closed at CONNECT'));
  socket.on('data', hear);
  socket.once('close', gone);
}

function handshake(
  socket: Socket,
  how: { readonly context: tls.SecureContext; readonly http2: boolean },
  done: (socket: Socket) => void,
  fail: (error: Error) => void,
): void {
  const secure = tls.connect({
    socket,
    servername: API_HOST,
    secureContext: how.context,
    ALPNProtocols: [how.http2 ? 'h2' : 'http/1.1'],
  });
  const gone = (): void => fail(new Error('closed at the TLS handshake'));
  secure.once('error', fail);
  secure.once('close', gone);
  secure.once('secureConnect', () => {
    secure.removeListener('error', fail);
    secure.removeListener('close', gone);
    if (how.http2 && secure.alpnProtocol !== 'h2') fail(new Error('HTTP/2 is not offered'));
    else done(secure);
  });
}

function h1Connection(socket: Socket, listener: Listener): Connection {
  const reader = createAnswerReader();
  let over = false;
  const fail = (why: string): void => {
    if (over) return;
    over = true;
    socket.destroy();
    listener.fail(why);
  };
  socket.on('data', (data: Buffer) => {
    if (over) return;
    listener.data(data);
    try {
      const answered = reader.read(data);
      if (answered !== null) listener.end(answered.status, answered.bodyBytes, !answered.close);
    } catch (error) {
      fail(String(error));
    }
  });
  socket.on('error', (error) => fail(error.message));
  socket.on('close', () => fail('closed before the end of the answer'));
  return {
    send: ({ wire }) => {
      socket.write(wire);
    },
    close: () => {
      over = true;
      socket.destroy();
    },
  };
}

function h2Connection(socket: Socket, listener: Listener): Connection {
  const session = http2.connect(`https://${API_HOST}`, { createConnection: () => socket });
  let over = false;
  const fail = (why: string): void => {
    if (over) return;
    over = true;
    session.destroy();
    listener.fail(why);
  };
  session.on('error', (error) => fail(error.message));
  session.on('close', () => fail('closed before the end of the answer'));
  return {
    send: ({ body }) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': PATH,
        ...FIELDS,
        'content-length': String(body.length),
      });
      let status = 0;
      let bytes = 0;
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('data', (data: Buffer) => {
        bytes += data.length;
        listener.data(data);
      });
      stream.on('end', () => {
        if (!over) listener.end(status, bytes, !session.closed);
      });
      stream.on('error', (error) => fail(error.message));
      stream.end(body);
    },
    close: () => {
      over = true;
      session.destroy();
    },
  };
}
