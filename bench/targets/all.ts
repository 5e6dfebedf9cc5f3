/** Everything that can be measured, in the order of the tables. */
import { nodeHttp, pump } from './floors.ts';
import { lanekeeper } from './lanekeeper.ts';
import { mitmproxy, packagePeers } from './peers.ts';
import { haproxy, nginx } from './servers.ts';
import type { Target } from './types.ts';

/**
 * @param launcher of Lanekeeper
 * @param peers a folder whose `node_modules` may hold peers
 */
export function allTargets(launcher: string, peers: string): Target[] {
  return [lanekeeper(launcher), pump, nodeHttp, nginx, haproxy, mitmproxy, ...packagePeers(peers)];
}
