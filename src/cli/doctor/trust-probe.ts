/**
 * Runs in a process of its own, with the environment of a client: asks an intercepted host, through
 * the proxy that `HTTPS_PROXY` names, for the one request that the proxy answers itself (OPTIONS with
 * Max-Forwards 0, RFC 9110 section 7.6.2), and prints what came of it as JSON. TLS is verified by
 * Node's defaults, which is the point: `NODE_EXTRA_CA_CERTS` is read at the start of a process only.
 */
import http, { type IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

import { openTunnel, TunnelError } from '../tunnel.ts';

function ask(secure: TLSSocket, host: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      createConnection: () => secure,
      method: 'OPTIONS',
      path: '/',
      headers: { host, 'max-forwards': '0', connection: 'close' },
    });
    request.on('error', reject);
    request.once('response', resolve);
    request.end();
  });
}

async function probe(host: string): Promise<Readonly<Record<string, string | number>>> {
  try {
    const secure = await openTunnel(new URL(process.env['HTTPS_PROXY'] ?? ''), host);
    const { statusCode = 0, headers } = await ask(secure, host);
    return { step: 'done', status: statusCode, version: String(headers['x-lanekeeper'] ?? '') };
  } catch (error) {
    if (error instanceof TunnelError) {
      return { step: error.step, code: error.code, message: error.message };
    }
    return { step: 'answer', code: error instanceof Error ? error.message : String(error) };
  }
}

process.stdout.write(`${JSON.stringify(await probe(process.argv[2] ?? ''))}\n`);
process.exit(0);
