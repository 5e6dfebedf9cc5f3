/** Sends requests through a proxy both ways that clients take: CONNECT and TLS, and plain to the proxy. */
import http from 'node:http';

import { openTunnel } from '../tunnel.ts';
import type { CanaryRequest } from './canaries.ts';

/** What is sent, and through which proxy. */
export interface Sending {
  readonly proxy: string;
  /** The proxy's own token. */
  readonly token: string;
  readonly ca: string;
  readonly requests: readonly CanaryRequest[];
}

type Connection = Pick<http.RequestOptions, 'createConnection' | 'host' | 'port'>;

const API_HOST = 'api.anthropic.com';
const AT_ONCE = 8;

/**
 * Sends each request both ways and reads its answer to the end, whatever it is.
 *
 * @returns how many exchanges there were
 * @throws where an exchange has no answer at all
 */
export async function sendAll({ proxy, token, ca, requests }: Sending): Promise<number> {
  const url = new URL(proxy);
  const login = new URL(proxy);
  login.username = 'x';
  login.password = token;
  const all = requests.flatMap((request) => [
    () => send({ host: url.hostname, port: url.port }, request, url.host),
    async () => {
      const secure = await openTunnel(login, API_HOST, ca);
      await send({ createConnection: () => secure }, request, API_HOST);
    },
  ]);
  for (let at = 0; at < all.length; at += AT_ONCE) {
    await Promise.all(all.slice(at, at + AT_ONCE).map((exchange) => exchange()));
  }
  return all.length;
}

function send(
  connection: Connection,
  { method, path, headers, body }: CanaryRequest,
  host: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const length = body.length === 0 ? {} : { 'content-length': body.length };
    const request = http.request({
      ...connection,
      method,
      path,
      headers: { ...headers, ...length, host, connection: 'close' },
    });
    request.on('error', reject);
    request.once('response', (response) => {
      response.on('error', reject);
      response.once('end', resolve);
      response.resume();
    });
    request.end(body);
  });
}
