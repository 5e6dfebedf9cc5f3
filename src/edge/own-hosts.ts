/**
 * Under which names and addresses we can be reached, beside loopback: those of a listener on the
 * unspecified address are all addresses of the machine, which change as networks come and go.
 */
import { networkInterfaces } from 'node:os';

/** @param listenHost as configured */
export function ownHostsOf(listenHost: string): readonly string[] {
  if (listenHost !== '0.0.0.0' && listenHost !== '::') return [listenHost];
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return [listenHost, ...addresses.map(({ address }) => address)];
}
