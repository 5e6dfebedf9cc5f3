/**
 * In a network of its own (`unshare --net`): a proxy, whose connections die in silence when the machine gets
 * another address. Prints as JSON what was seen.
 */
import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { WAKE_NETWORK_MS } from '../../src/core/limits.ts';
import { exchange } from './surroundings.ts';
import { startVanishing } from './vanishing-upstream.ts';

const cleanups: (() => Promise<void> | void)[] = [];

function ip(line: string): void {
  const { status, stderr } = spawnSync('ip', line.split(' '), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${line}: ${stderr}`);
}

async function play(): Promise<object> {
  ip('link add va type veth peer name vb');
  for (const name of ['va', 'vb']) ip(`link set ${name} up`);
  ip('address add 192.0.2.7/24 dev va');
  while (networkInterfaces()['va'] === undefined) await wait(10);
  const context = { after: (run: () => Promise<void> | void) => void cleanups.push(run) };
  const { proxy, vanish, connections, swallowed } = await startVanishing(context);
  const before = [(await exchange(proxy)).status];
  await wait(WAKE_NETWORK_MS + 100);
  before.push((await exchange(proxy)).status);
  const sameNetwork = connections();
  vanish();
  ip('address delete 192.0.2.7/24 dev va');
  ip('address add 198.51.100.9/24 dev va');
  await wait(WAKE_NETWORK_MS + 100);
  const { status, whole } = await exchange(proxy);
  return {
    before,
    sameNetwork,
    after: [status, whole],
    connections: connections(),
    swallowed: swallowed(),
  };
}

try {
  process.stdout.write(`${JSON.stringify(await play())}\n`);
} finally {
  for (const run of cleanups) await run();
}
