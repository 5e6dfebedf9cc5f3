import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { ownHostsOf } from './own-hosts.ts';

test('a listener on one address is reached there', () => {
  assert.deepEqual(ownHostsOf('127.0.0.1'), ['127.0.0.1']);
  assert.deepEqual(ownHostsOf('192.0.2.7'), ['192.0.2.7']);
});

test('a listener on all addresses is reached under each of the machine', () => {
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  for (const host of ['0.0.0.0', '::']) {
    const own = ownHostsOf(host);
    assert.equal(own[0], host);
    for (const { address } of all) assert(own.includes(address), address);
  }
});
