/**
 * An upstream of real TLS that does exactly what a test says, byte by byte: for everything that a
 * well-behaved server would not do.
 */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import type { UpstreamConfig } from '../../src/config/types.ts';
import { type MintedServer, mintServer } from '../../src/pki/authority.ts';
import { ByteReader } from './byte-reader.ts';
import type { Cleanup } from './home.ts';

/** A request as it arrived. */
export interface ArrivedRequest {
  readonly head: string;
  readonly body: Buffer;
}

/** One connection of the proxy. */
export interface Visit {
  /** Counts up from 0. */
  readonly index: number;
  /** What came in the clear. */
  readonly reader: ByteReader;
  /** Reads one request whose body has a Content-Length or none. */
  request(): Promise<ArrivedRequest>;
  /** Resolves when the system took the bytes. */
  send(bytes: string | Buffer): Promise<void>;
  /** Ends properly: close_notify, FIN. */
  end(): void;
  /** RST, whatever is unread. */
  reset(): void;
  /** Resolves once the proxy let go: FIN, RST, or our own end. */
  readonly gone: Promise<string>;
}

/** What is done on a connection. A throw ends it. */
export type VisitScript = (visit: Visit) => Promise<void> | void;

export interface FaultUpstream {
  readonly port: number;
  /** PEM of the authority to trust. */
  readonly ca: string;
  /** What the next connections get. */
  script: VisitScript;
  readonly visits: readonly Visit[];
  /** The connection of that number, once it is there. */
  visit(index: number): Promise<Visit>;
  /** The upstream as a lane has it. */
  config(more?: Partial<UpstreamConfig>): UpstreamConfig;
}

export interface FaultUpstreamOptions {
  /** Default: valid for 127.0.0.1 and localhost. */
  readonly certificate?: MintedServer;
  /** Default `http/1.1` alone. */
  readonly alpn?: readonly string[];
  readonly script?: VisitScript;
}

/** A certificate for loopback, as of that time. */
export function loopbackCertificate(now = new Date()): Promise<MintedServer> {
  return mintServer({ names: ['localhost'], ips: ['127.0.0.1'], now });
}

/** Listens on loopback until the test is over. */
export async function startFaultUpstream(
  context: Cleanup,
  options: FaultUpstreamOptions = {},
): Promise<FaultUpstream> {
  const certificate = options.certificate ?? (await loopbackCertificate());
  const secureContext = tls.createSecureContext({
    cert: certificate.certPem,
    key: certificate.keyPem,
  });
  const visits: Visit[] = [];
  const sockets = new Set<net.Socket>();
  let arrived = Promise.withResolvers<void>();
  const server = net.createServer({ noDelay: true }, (tcp) => {
    tcp.on('error', () => {});
    sockets.add(tcp);
    tcp.once('close', () => sockets.delete(tcp));
    const socket = new tls.TLSSocket(tcp, {
      isServer: true,
      secureContext,
      ALPNProtocols: [...(options.alpn ?? ['http/1.1'])],
    });
    socket.on('error', () => {});
    socket.once('secure', () => {
      const visit = openVisit(visits.length, tcp, socket);
      visits.push(visit);
      arrived.resolve();
      arrived = Promise.withResolvers();
      run(upstream.script, visit, tcp);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const upstream: FaultUpstream = {
    port,
    ca: certificate.caCertPem,
    script: options.script ?? (() => {}),
    visits,
    async visit(index) {
      for (;;) {
        const found = visits[index];
        if (found !== undefined) return found;
        await arrived.promise;
      }
    },
    config: (more = {}) => ({
      scheme: 'https',
      host: '127.0.0.1',
      port,
      basePath: '',
      ca: certificate.caCertPem,
      ...more,
    }),
  };
  return upstream;
}

function run(script: VisitScript, visit: Visit, tcp: net.Socket): void {
  const done = async (): Promise<void> => script(visit);
  done().catch(() => tcp.destroy());
}

function openVisit(index: number, tcp: net.Socket, socket: tls.TLSSocket): Visit {
  const reader = new ByteReader(socket);
  return {
    index,
    reader,
    gone: reader.ending,
    async request() {
      const head = (await reader.through('\r\n\r\n')).toString('latin1');
      const length = /\r\ncontent-length: *([0-9]+)\r\n/i.exec(head)?.[1] ?? '0';
      return { head, body: await reader.exactly(Number(length)) };
    },
    send: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    end: () => void socket.end(),
    reset: () => void tcp.resetAndDestroy(),
  };
}
