/**
 * An answer that had come whole when its connection was reset, to a client that reads slowly.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  headCame,
  laneTo,
  type Peer,
  record,
  requestOf,
  scriptUpstream,
  upstreamAt,
} from './scripted-upstream.ts';

const BEGIN = 'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello';

/** Sends the rest behind what was taken already, and resets the connection once that has left. */
async function endAfter(rest: string): Promise<{ log: string[]; body: string }> {
  const peers: Peer[] = [];
  const upstream = await scriptUpstream({}, (peer) => {
    peers.push(peer);
    peer.socket.once('data', () => peer.socket.write(BEGIN));
  });
  const lane = laneTo(upstreamAt(upstream.port));
  const events = record();
  const outbound = lane.open(lane.prepare(requestOf({ method: 'GET' })), events);
  await events.payload(5);
  outbound.pause();
  const [peer] = peers;
  assert.ok(peer !== undefined && headCame(peer.received()));
  await new Promise<void>((resolve) => {
    peer.socket.write(rest, () => resolve());
  });
  peer.socket.resetAndDestroy();
  await Promise.race([events.end, events.fail]);
  lane.close();
  await upstream.close();
  return { log: events.log, body: events.body().toString() };
}

test('is delivered to its end, though the client had stopped it', async () => {
  const { log, body } = await endAfter(' reader!');
  assert.equal(body, 'hello reader!');
  assert.deepEqual(log, ['head 200', 'end']);
});

test('is cut where something of it is missing, behind what had come', async () => {
  const { log, body } = await endAfter(' rea');
  assert.equal(body, 'hello rea');
  assert.deepEqual(log, ['head 200', 'fail reset']);
});
