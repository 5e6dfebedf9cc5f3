/**
 * Plays the hostile requests to the proxies of Debian and writes down what each did: `results.json`,
 * and with it the tables of `docs/hostile-input.md`. Takes about three minutes; `make hostile-peers`.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Cleanup } from '../../support/home.ts';
import { rawConnect } from '../../support/raw-client.ts';
import { converse } from '../converse.ts';
import { type Recorder, startRecorder } from '../recorder.ts';
import { REQUEST_GROUPS } from '../requests.ts';
import type { HostileRequest } from '../types.ts';
import { PEER_NAMES, type Peer, startPeer } from './peers.ts';
import { PEERS_FILE, type PeerResults } from './results.ts';
import { updateDocument } from './tables.ts';

/** After so much silence a peer that neither answers nor closes is said to wait. */
const QUIET_MS = 700;

const cleanups: (() => Promise<void> | void)[] = [];
const context: Cleanup = { after: (run) => void cleanups.unshift(run) };

async function play(peer: Peer, recorder: Recorder, hostile: HostileRequest): Promise<string> {
  recorder.clear();
  const connection = await rawConnect({ to: { host: '127.0.0.1', port: peer.port } });
  const to = { host: `127.0.0.1:${peer.port}`, port: peer.port };
  const seen = await converse(connection, hostile.bytes(to), hostile.fin === true, {
    answers: Number.POSITIVE_INFINITY,
    end: true,
    ms: QUIET_MS,
  });
  connection.destroy();
  const whole = recorder.requests.length;
  const reached = whole > 0 ? ` → ${whole}` : recorder.bytes() > 0 ? ' → part' : '';
  const answers =
    seen.statuses.length > 0 ? seen.statuses.join(' ') : seen.closed ? 'cut' : 'waits';
  return `${answers}${reached}`;
}

async function playAll(name: Peer['name']): Promise<PeerResults['peers'][number]> {
  const recorder = await startRecorder(context);
  const peer = await startPeer(name, recorder.port);
  if (peer === null) throw new Error(`${name} is not installed`);
  context.after(() => peer.close());
  const did: Record<string, string> = {};
  for (const { cases } of REQUEST_GROUPS.filter(({ forPeers }) => forPeers)) {
    for (const hostile of cases) {
      did[hostile.name] = await play(peer, recorder, hostile);
    }
  }
  return { name, version: peer.version, did };
}

try {
  const peers = await Promise.all(PEER_NAMES.map(playAll));
  const results: PeerResults = { peers };
  await writeFile(PEERS_FILE, `${JSON.stringify(results, null, 1)}\n`);
  await updateDocument(results);
  for (const { name, version, did } of peers) {
    console.log(`${name} ${version}: ${Object.keys(did).length} inputs`);
  }
  console.log(`written: ${path.relative(process.cwd(), PEERS_FILE)}, docs/hostile-input.md`);
} finally {
  for (const run of cleanups) await run();
}
