/**
 * Binding the port, and why it could not be: each cause with its mend. Who is handed the connections
 * is the caller's affair.
 */
import type net from 'node:net';

/** The proxy could not start; `code` is stable, the message names the mend. */
export class ProxyStartError extends Error {
  override readonly name = 'ProxyStartError';
  readonly code: string;
  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * Binds a server.
 *
 * @returns the port: the one asked for, or the free one where 0 was
 * @throws ProxyStartError
 */
export function listen(server: net.Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(startError(error, host, port)));
    server.listen({ host, port }, () => {
      const address = server.address();
      server.removeAllListeners('error');
      server.on('error', () => undefined);
      resolve(address !== null && typeof address === 'object' ? address.port : port);
    });
  });
}

/** True where a port could not be bound because it is taken. */
export function isPortTaken(error: unknown): boolean {
  return error instanceof ProxyStartError && error.code === 'port_in_use';
}

function startError(error: NodeJS.ErrnoException, host: string, port: number): ProxyStartError {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new ProxyStartError(
        'port_in_use',
        `${where} is in use. Stop what listens there, or choose another port with --port or MITM_PORT.`,
        error,
      );
    case 'EACCES':
      return new ProxyStartError(
        'port_forbidden',
        `${where} may not be bound by this user. Choose a port above 1023 with --port or MITM_PORT.`,
        error,
      );
    case 'EADDRNOTAVAIL':
      return new ProxyStartError(
        'address_unknown',
        `${host} is no address of this machine. Choose another with --host.`,
        error,
      );
    default:
      return new ProxyStartError(
        'listen_failed',
        `${where}: ${error.code ?? error.message}`,
        error,
      );
  }
}
