/** What the commands that judge a session know beyond its files. */
import { isRunning, readStatus } from '../../admin/client.ts';
import { redactText } from '../../ledger/redact.ts';
import type { SafetyFacts } from '../../session/gates/safety.ts';
import { type CommonOptions, homeOf } from '../settings.ts';
import { knownSecrets, variablesOf } from './secrets.ts';

/** Settings that steer a session. Of a credential it is told only whether it is set. */
const SETTINGS = [
  'FORCE_HAIKU_TO_ZAI',
  'MITM_PORT',
  'MITM_FORCE_H1',
  'MITM_HTTP2',
  'ZAI_HEADER_MODE',
  'ZAI_MODEL',
  'MITM_ENABLE_BACKOFF',
  'MITM_FILTER_CHAIN',
  'ENABLE_BODY_TEE',
  'OFFLOAD_PAUSED',
] as const;
const CREDENTIALS = ['ZAI_API_KEY', 'LANEKEEPER_TOKEN'] as const;

/** What the safety gate must be told. */
export async function safetyFacts(options: CommonOptions): Promise<SafetyFacts> {
  const home = homeOf(options);
  const teeNow = (await isRunning(home)) ? (await readStatus(home)).tee : null;
  return { secrets: await knownSecrets(options), teeNow };
}

/** The settings in force here, for people. */
export function togglesOf(options: CommonOptions): Record<string, string> {
  const variables = variablesOf(options);
  const settings = SETTINGS.map((name) => [name, redactText(variables[name] || 'not set')]);
  const credentials = CREDENTIALS.map((name) => [name, variables[name] ? 'set' : 'not set']);
  return Object.fromEntries([...settings, ...credentials]);
}
