/**
 * Minting: one certificate authority and the one leaf that it signs in its life.
 *
 * The authority's private key exists only while the leaf is signed; it is never returned and never
 * written. What is left can impersonate the named hosts to a process that was told to trust this
 * authority, and nothing else. Where the files go is `store.ts`.
 */
import { generateKeyPair, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { CA_BACKDATE_MS, CA_VALID_MS } from '../core/limits.ts';
import type { Lifetime } from './certificate.ts';
import { normaliseHosts } from './hosts.ts';

/** A new authority and its leaf, as PEM. */
export interface MintedAuthority {
  readonly caCertPem: string;
  readonly leafCertPem: string;
  /** PKCS #8. A secret. */
  readonly leafKeyPem: string;
  /** When both certificates end. */
  readonly notAfter: Date;
}

/** A server certificate under an authority of its own, as PEM. */
export interface MintedServer {
  readonly caCertPem: string;
  readonly certPem: string;
  /** PKCS #8. A secret. */
  readonly keyPem: string;
}

/** What every certificate of ours has in its subject or its issuer's: how a bundle knows its own. */
export const AUTHORITY_NAME = 'Lanekeeper local CA';

/**
 * Mints a name-constrained authority and its leaf for exactly these hosts.
 *
 * @throws PkiError `bad_hosts`
 */
export async function mintAuthority(options: {
  readonly hosts: readonly string[];
  readonly now: Date;
}): Promise<MintedAuthority> {
  const hosts = normaliseHosts(options.hosts);
  const life = lifetime(options.now);
  const { createIssuer } = await import('./certificate.ts');
  const day = options.now.toISOString().slice(0, 10);
  const [issuer, keys] = await Promise.all([
    createIssuer({
      ...life,
      permitted: hosts,
      commonName: (id) => `${AUTHORITY_NAME} ${day} ${id}`,
    }),
    leafKeys(),
  ]);
  const leafCertPem = await issuer.issue({
    ...life,
    names: hosts,
    ips: [],
    publicKey: keys.publicKey,
  });
  return {
    caCertPem: issuer.certPem,
    leafCertPem,
    leafKeyPem: keys.privatePem,
    notAfter: new X509Certificate(leafCertPem).validToDate,
  };
}

/**
 * Mints an authority without name constraints and a server certificate under it, for the twin and
 * for tests. Nobody but the caller must be told to trust it.
 */
export async function mintServer(options: {
  readonly names: readonly string[];
  /** IPv4 and IPv6 literals without brackets. */
  readonly ips: readonly string[];
  readonly now: Date;
}): Promise<MintedServer> {
  const life = lifetime(options.now);
  const { createIssuer } = await import('./certificate.ts');
  const [issuer, keys] = await Promise.all([
    createIssuer({
      ...life,
      permitted: null,
      commonName: (id) => `Lanekeeper test CA ${id}`,
    }),
    leafKeys(),
  ]);
  const certPem = await issuer.issue({
    ...life,
    names: options.names,
    ips: options.ips,
    publicKey: keys.publicKey,
  });
  return { caCertPem: issuer.certPem, certPem, keyPem: keys.privatePem };
}

/** Begins a little in the past, for clients whose clock is behind ours. */
function lifetime(now: Date): Lifetime {
  const start = now.getTime() - CA_BACKDATE_MS;
  return { notBefore: new Date(start), notAfter: new Date(start + CA_VALID_MS) };
}

async function leafKeys() {
  const pair = await promisify(generateKeyPair)('ec', { namedCurve: 'prime256v1' });
  return {
    publicKey: pair.publicKey,
    privatePem: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
