/**
 * The hosts that an authority may speak for: checked and brought into one order, so that two
 * configurations that mean the same compare equal.
 *
 * Only plain DNS names (letters, digits and hyphens, RFC 1123 section 2.1): the CA excludes every IP
 * address, a wildcard would defeat "exactly these hosts", and an empty list would leave the DNS
 * constraint out and make the CA good for any name.
 */
import { isIPv4 } from 'node:net';
import { CA_HOSTS_MAX } from '../core/limits.ts';
import { PkiError } from './errors.ts';

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const NAME_LENGTH_MAX = 253;

/**
 * The hosts in lower case, sorted, each once.
 *
 * @throws PkiError `bad_hosts`
 */
export function normaliseHosts(hosts: readonly string[]): readonly string[] {
  const unique = [...new Set(hosts.map((host) => host.toLowerCase()))].sort();
  if (unique.length === 0) {
    throw new PkiError('bad_hosts', 'no host to intercept: name at least one under `intercept`');
  }
  if (unique.length > CA_HOSTS_MAX) {
    throw new PkiError(
      'bad_hosts',
      `${unique.length} hosts to intercept: at most ${CA_HOSTS_MAX} may stand under \`intercept\``,
    );
  }
  for (const host of unique) {
    if (!isPlainName(host)) {
      throw new PkiError(
        'bad_hosts',
        `${JSON.stringify(host)} cannot be intercepted: \`intercept\` takes plain DNS names, without wildcard, port or IP address`,
      );
    }
  }
  return unique;
}

function isPlainName(host: string): boolean {
  return host.length <= NAME_LENGTH_MAX && !isIPv4(host) && NAME.test(host);
}
