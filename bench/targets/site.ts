/** What targets are started with: certificates, ports, programs. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { mintServer } from '../../src/pki/authority.ts';
import type { Access } from '../load/types.ts';
import { API_HOST, SECOND_HOST } from '../load/wire.ts';
import type { Certificates } from './types.ts';

/** Mints the certificate of the upstream and of targets that bring none, and writes it to files. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const minted = await mintServer({
    names: [API_HOST, SECOND_HOST],
    ips: ['127.0.0.1'],
    now: new Date(),
  });
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  return {
    caPem: minted.caCertPem,
    certPem: minted.certPem,
    keyPem: minted.keyPem,
    caFile: write('ca.pem', minted.caCertPem),
    certFile: write('cert.pem', minted.certPem),
    keyFile: write('key.pem', minted.keyPem),
    bothFile: write('both.pem', minted.certPem + minted.keyPem),
  };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Why a Debian program is missing, or null. */
export function missingProgram(program: string, debian: string): string | null {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  return found ? null : `${program} is not on PATH: apt-get install ${debian}`;
}

/** TLS to a port that serves the API's name itself. */
export function tlsAt(port: number, ca: string, http2 = false): Access {
  return { by: 'tls', http2, port, ca };
}

/** TLS in a tunnel through a proxy. */
export function connectAt(port: number, ca: string, http2 = false): Access {
  return { by: 'connect', http2, port, ca };
}

/** Plain HTTP. */
export function plainAt(port: number): Access {
  return { by: 'plain', http2: false, port, ca: null };
}
