/**
 * A client's own way through the proxy: CONNECT, then TLS inside, as agents do it. For the checks of
 * `doctor` and `demo`; no proxied byte of a user passes here.
 */
import http from 'node:http';
import type { Socket } from 'node:net';
import tls from 'node:tls';

/** Where the way through the proxy ended. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError';
  readonly step: 'proxy' | 'connect' | 'tls';
  /** A system or OpenSSL code, or `status N` where the proxy refused. */
  readonly code: string;
  constructor(step: TunnelError['step'], code: string, message: string) {
    super(message);
    this.step = step;
    this.code = code;
  }
}

/**
 * A TLS connection to port 443 of a host, through the proxy at `url` (which may hold a login).
 *
 * @param ca PEM to trust in place of the process's own trust
 * @param alpn protocols offered inside (RFC 7301); default: none
 * @throws TunnelError
 */
export async function openTunnel(
  url: URL,
  host: string,
  ca?: string,
  alpn?: readonly string[],
): Promise<tls.TLSSocket> {
  const socket = await connect(url, host);
  return new Promise((resolve, reject) => {
    const secure = tls.connect({
      socket,
      servername: host,
      ...(ca === undefined ? {} : { ca }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
    });
    secure.on('error', (error) => reject(asTunnelError('tls', error)));
    secure.once('secureConnect', () => resolve(secure));
  });
}

function connect(url: URL, host: string): Promise<Socket> {
  const refused = (status: number) =>
    new TunnelError('connect', `status ${status}`, `the proxy refused the tunnel (${status})`);
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      method: 'CONNECT',
      path: `${host}:443`,
      headers: { host: `${host}:443`, ...authorization(url) },
      agent: false,
    });
    request.on('error', (error) => reject(asTunnelError('proxy', error)));
    request.once('connect', (response, socket) => {
      socket.on('error', (error) => reject(asTunnelError('proxy', error)));
      if (response.statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        reject(refused(response.statusCode ?? 0));
      }
    });
    request.end();
  });
}

function authorization(url: URL): Record<string, string> {
  if (url.username === '') return {};
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` };
}

function asTunnelError(step: TunnelError['step'], error: NodeJS.ErrnoException): TunnelError {
  return new TunnelError(step, error.code ?? error.name, error.message);
}
