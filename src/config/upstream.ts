/**
 * Upstreams and hosts as the configuration names them: URLs without anything but a place, trust
 * roots that are certificates, host names that are names.
 *
 * Texts of the file are never quoted in a refusal: a URL may hold a password.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { PEM_FILE_BYTES_MAX } from '../core/limits.ts';
import type { UpstreamConfig } from './types.ts';

/** A value, or why it is refused and the mend. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly mend: string };

const HTTPS_PORT = 443;
const HTTP_PORT = 80;

/** Reads the URL of an upstream: https, or http to a loopback address; a path prefix, no more. */
export function parseUpstream(text: string): Checked<Omit<UpstreamConfig, 'ca'>> {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.hostname === '') {
    return refuse('is not a URL', 'write it as https://host/prefix');
  }
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== 'https' && scheme !== 'http') {
    return refuse('must be an https URL', 'write it as https://host/prefix');
  }
  if (url.username !== '' || url.password !== '') {
    return refuse('holds a user or a password', 'leave it out: keys come from the environment');
  }
  if (text.includes('?') || text.includes('#')) {
    return refuse('holds a query or a fragment', 'leave everything from ? or # out');
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (scheme === 'http' && !isLoopback(host)) {
    return refuse('must be https: only a loopback address may be reached over http', 'use https');
  }
  const port = url.port === '' ? (scheme === 'https' ? HTTPS_PORT : HTTP_PORT) : Number(url.port);
  if (port === 0) return refuse('has port 0', 'name the port of the upstream');
  return { ok: true, value: { scheme, host, port, basePath: url.pathname.replace(/\/+$/, '') } };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----/g;

/**
 * Reads a PEM file of trust roots.
 *
 * @returns its certificates alone, so that a private key in the same file goes no further
 */
export function readTrustRoots(file: string): Checked<string> {
  let text: string;
  try {
    if (statSync(file).size > PEM_FILE_BYTES_MAX) {
      return refuse('is too large for a PEM file', 'name the right file');
    }
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const mend = 'name a file that you can read; a relative path is relative to this file';
    return refuse(`can not be read (${code})`, mend);
  }
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0) {
    return refuse('holds no certificate', 'name a PEM file with BEGIN CERTIFICATE in it');
  }
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch {
      return refuse(`certificate ${index + 1} of the file is damaged`, 'export it anew as PEM');
    }
  }
  return { ok: true, value: `${certificates.join('\n')}\n` };
}

/** True for addresses and names that never leave this machine. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIPv4(host) && host.startsWith('127.');
}

/** True for an address to listen on: an IP address or `localhost`. */
export function isListenHost(host: string): boolean {
  return host === 'localhost' || isIP(host) !== 0;
}

const DNS_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** True for a lower-case DNS name of two labels or more; no address, no wildcard, no final dot. */
export function isDnsName(host: string): boolean {
  return DNS_NAME.test(host);
}

function refuse(message: string, mend: string): Checked<never> {
  return { ok: false, message, mend };
}
