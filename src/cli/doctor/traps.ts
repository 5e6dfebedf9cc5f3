/** Checks of the environment: variables that lead a client past the proxy, or into it half-way. */
import { readFileSync } from 'node:fs';

import { splitBypass, type Variables } from '../environment.ts';
import { type Finding, ok, warn } from './finding.ts';

const CHECK = 'environment';
const USE_RUN = 'start the client with lanekeeper run, which sets this aside for it alone';

/** What the traps depend on. */
export interface TrapFacts {
  readonly variables: Variables;
  readonly intercept: readonly string[];
  /** Where the proxy listens. */
  readonly port: number;
}

/** One finding a trap, or one that says there is none. Never shows a value. */
export function checkTraps(facts: TrapFacts): Finding[] {
  const findings = [
    ...checkLogin(facts.variables),
    ...checkBypass(facts),
    ...checkProxy(facts),
    ...checkVerification(facts.variables),
  ];
  if (findings.length > 0) return findings;
  return [ok(CHECK, 'no variable leads around the proxy')];
}

function checkLogin(variables: Variables): Finding[] {
  const findings: Finding[] = [];
  if (isSet(variables, 'ANTHROPIC_BASE_URL')) {
    const message = 'ANTHROPIC_BASE_URL is set: clients talk to it and not through the proxy';
    findings.push(warn(CHECK, message, `unset ANTHROPIC_BASE_URL, or ${USE_RUN}`));
  }
  if (isSet(variables, 'ANTHROPIC_AUTH_TOKEN')) {
    const message = 'ANTHROPIC_AUTH_TOKEN is set: it replaces the login of the subscription';
    findings.push(warn(CHECK, message, `unset ANTHROPIC_AUTH_TOKEN, or ${USE_RUN}`));
  }
  return findings;
}

function checkBypass({ variables, intercept }: TrapFacts): Finding[] {
  const findings: Finding[] = [];
  for (const name of ['NO_PROXY', 'no_proxy']) {
    const { removed } = splitBypass(variables[name] ?? '', intercept);
    if (removed.length === 0) continue;
    const message = `${name} covers an intercepted host: clients go around the proxy`;
    findings.push(warn(CHECK, message, `take ${removed.join(' and ')} out of it, or ${USE_RUN}`));
  }
  return findings;
}

function checkProxy({ variables, port }: TrapFacts): Finding[] {
  const proxy = variables['https_proxy'] ?? variables['HTTPS_PROXY'] ?? '';
  const hasTrust = isSet(variables, 'NODE_EXTRA_CA_CERTS');
  if (proxy === '') return hasTrust ? checkTrustFile(variables) : [];
  if (!isOurs(proxy, port)) {
    const message =
      'HTTPS_PROXY names another proxy; clients of ours do not use it, and our upstreams are reached directly';
    return [warn(CHECK, message, 'nothing, if this machine reaches the upstreams without it')];
  }
  if (hasTrust) return checkTrustFile(variables);
  const message = 'HTTPS_PROXY names our proxy but NODE_EXTRA_CA_CERTS is not set: TLS will fail';
  return [warn(CHECK, message, 'eval "$(lanekeeper env)" sets both')];
}

function checkTrustFile(variables: Variables): Finding[] {
  const path = variables['NODE_EXTRA_CA_CERTS'] ?? '';
  try {
    if (readFileSync(path, 'utf8').includes('-----BEGIN CERTIFICATE-----')) return [];
  } catch {
    // Told below, as a file without a certificate is.
  }
  const message = 'NODE_EXTRA_CA_CERTS names a file that can not be read or holds no certificate';
  return [warn(CHECK, message, 'eval "$(lanekeeper env)" again, or unset it')];
}

function checkVerification(variables: Variables): Finding[] {
  if (variables['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return [];
  const message = 'NODE_TLS_REJECT_UNAUTHORIZED=0: clients accept any certificate';
  return [warn(CHECK, message, 'unset it; the proxy itself verifies its upstreams all the same')];
}

function isSet(variables: Variables, name: string): boolean {
  return (variables[name] ?? '') !== '';
}

function isOurs(proxy: string, port: number): boolean {
  if (!URL.canParse(proxy)) return false;
  const url = new URL(proxy);
  return ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname) && url.port === String(port);
}
