/** The built-in client: HTTP/1.1 with connections that are kept, and renewed now and then. */
import tls from 'node:tls';
import { DRILL_REQUESTS_MAX } from '../core/limits.ts';
import { createListener } from './listener.ts';
import { ConnectionError, openConnection, type RawConnection } from './raw-connection.ts';
import type { Access, DrillClient } from './types.ts';

/** A client with a connection of its own, made when it is first needed. */
export function createRawClient(access: Access): DrillClient {
  const secure =
    access.via === 'connect' && access.ca !== null
      ? tls.createSecureContext({ ca: access.ca })
      : null;
  let connection: RawConnection | null = null;
  let used = 0;
  let closed = false;
  return {
    ask: async (request) => {
      const listener = createListener(request.stream);
      if (used >= DRILL_REQUESTS_MAX || connection?.usable !== true) {
        connection?.cut('abandoned');
        connection = null;
        used = 0;
        try {
          connection = await openConnection(access, secure);
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error;
          return listener.done(error.kind, false);
        }
        if (closed) connection.cut('abandoned');
      }
      if (closed) return listener.done('abandoned', false);
      used += 1;
      return connection.ask(request);
    },
    close: async () => {
      closed = true;
      connection?.cut('abandoned');
    },
  };
}
