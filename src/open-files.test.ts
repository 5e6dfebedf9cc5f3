import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLIENT_CONNECTIONS_MAX, OWN_FILES } from './core/limits.ts';
import { clientConnectionsMax } from './open-files.ts';

test('clients fit into the descriptors there are, each with a connection to an upstream', () => {
  assert.equal(clientConnectionsMax(256), (256 - OWN_FILES) / 2);
  assert.equal(clientConnectionsMax(Number.POSITIVE_INFINITY), CLIENT_CONNECTIONS_MAX);
  assert.equal(clientConnectionsMax(OWN_FILES), 1, 'one is served in any case');
  const here = clientConnectionsMax();
  assert(here >= 1 && here <= CLIENT_CONNECTIONS_MAX);
});
