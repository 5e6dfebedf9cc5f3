/**
 * Plays the catalogue against the peers and writes what they did: `observed.json`, and from it the tables of
 * docs/hostile-input-h2.md. Run by `make hostile-peers-h2`.
 */
import { writeFile } from 'node:fs/promises';
import type { Cleanup } from '../../../support/home.ts';
import { type Case, play } from '../case.ts';
import { CASES, FLOODS } from '../catalogue.ts';
import { writeDocument } from '../document.ts';
import { OBSERVED, type Observed } from '../observed.ts';
import { openOrigin } from '../origin.ts';
import { install, programOf } from './debian.ts';
import { type Peer, startPeers } from './servers.ts';

const AT_ONCE = 6;
const CASE_MS_MAX = 30_000;

async function main(): Promise<void> {
  const hooks: (() => unknown)[] = [];
  const context: Cleanup = { after: (hook) => void hooks.push(hook) };
  try {
    // For the tests that come after.
    if (programOf('h2load') === null) await install('nghttp2-client', 'python3-h2');
    const origin = await openOrigin(context, true);
    const peers = await startPeers(context, origin.port);
    const seen: Record<string, Record<string, string>> = {};
    const reached: Record<string, string[]> = {};
    for (const peer of peers) {
      origin.requests.length = 0;
      await playAll(peer, CASES, AT_ONCE, seen);
      await playAll(peer, FLOODS.cases, 1, seen);
      reached[peer.name] = oddOf(origin.requests);
      const state = peer.isDead() ? 'has ended' : 'lives';
      console.log(
        `${peer.name} ${peer.version}: ${CASES.length + FLOODS.cases.length} cases, ${state}`,
      );
    }
    const observed: Observed = {
      peers: peers.map(({ name, version }) => ({ name, version })),
      seen,
      reached,
    };
    await writeFile(OBSERVED, `${JSON.stringify(observed, null, 2)}\n`);
    await writeDocument(observed);
  } finally {
    for (const hook of hooks.toReversed()) await hook();
  }
}

/** Requests whose target is none of a case; a port is not the same twice. */
function oddOf(requests: readonly string[]): string[] {
  const odd = requests.filter((line) => !/^[A-Z]+ \/case\/[\w.-]+$/.test(line));
  return [...new Set(odd.map((line) => line.replace(/:\d+\//, '/')))].sort();
}

async function playAll(
  peer: Peer,
  cases: readonly Case[],
  atOnce: number,
  seen: Record<string, Record<string, string>>,
): Promise<void> {
  const left = [...cases];
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const row = seen[one.id] ?? {};
      seen[one.id] = row;
      row[peer.name] = await playOne(one, peer);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

async function playOne(one: Case, peer: Peer): Promise<string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve('silence'), CASE_MS_MAX);
  try {
    return await Promise.race([play(one, peer.door), late.promise]);
  } catch {
    return 'no connection';
  } finally {
    clearTimeout(timer);
  }
}

await main();
process.exit(0);
