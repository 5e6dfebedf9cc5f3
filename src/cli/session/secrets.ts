/**
 * The credentials that are known where a command runs: those of this environment, of `.env`, and the
 * canaries that the program's own checks send. They are searched for in what was written, and never
 * shown.
 */
import { mergeVariables, readDotEnv, type Variables } from '../../config/environment.ts';
import { ConfigError } from '../../config/errors.ts';
import { findConfigFile, readConfigFile } from '../../config/file.ts';
import { readOwnToken } from '../../config/own-token.ts';
import type { KnownSecret } from '../../session/secrets/finder.ts';
import { TWIN_ZAI_KEY } from '../../twin/index.ts';
import { CLIENT_CANARY, ZAI_CANARY } from '../demo/plan.ts';
import { CANARY } from '../drill/target.ts';
import { type CommonOptions, homeOf } from '../settings.ts';

/** Credentials by the name of their variable, however short; others are told by how theirs ends. */
const CREDENTIALS = [
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
  'CLAUDE_CODE_OAUTH_TOKEN',
  'LANEKEEPER_TOKEN',
  'ZAI_API_KEY',
];
const NAMED_LIKE_ONE = /(?:_KEY|_TOKEN|_SECRET|_PASSWORD)$/;
/** What is named like a credential and is one. A path is none. */
const LOOKS_LIKE_ONE = /^[^\s/]{16,}$/;

/** All of them, each with the name that it is called by where it is found. */
export async function knownSecrets(options: CommonOptions): Promise<KnownSecret[]> {
  const variables = variablesOf(options);
  const named = new Set([...CREDENTIALS, ...(await namedByLanes(options))]);
  const secrets = Object.entries(variables).flatMap(([name, value]) => {
    const is = named.has(name) || (NAMED_LIKE_ONE.test(name) && LOOKS_LIKE_ONE.test(value ?? ''));
    return is && value !== undefined && value !== '' ? [{ name, value }] : [];
  });
  const token = ownTokenOf(homeOf(options));
  return [
    ...secrets,
    ...(token === null ? [] : [{ name: 'the token of the home', value: token }]),
    { name: 'the credential of drills', value: bare(CANARY[1]) },
    { name: 'the key of the twin', value: TWIN_ZAI_KEY },
    { name: 'the credential of the demo', value: CLIENT_CANARY },
    { name: 'the key of the demo', value: ZAI_CANARY },
  ];
}

/** One that can not be read here can not have got into what was written here. */
function ownTokenOf(home: string): string | null {
  try {
    return readOwnToken(home);
  } catch {
    return null;
  }
}

/** The environment, and behind it `.env` of the working directory and of the home. */
export function variablesOf(options: CommonOptions): Variables {
  const files = [process.cwd(), homeOf(options)].map((folder) => readDotEnv(folder).variables);
  return files.reduce<Variables>(mergeVariables, process.env);
}

/** A credential without its scheme. */
export function bare(credential: string): string {
  return credential.replace(/^\S+ /, '');
}

/** Variables that the lanes of the configuration file take their keys from. */
export async function namedByLanes(options: CommonOptions): Promise<string[]> {
  try {
    const file = findConfigFile(options.config, process.cwd(), homeOf(options));
    const lanes = file === null ? {} : ((await readConfigFile(file)).data.lanes ?? {});
    return Object.values(lanes).flatMap(({ credentials }) =>
      credentials === 'passthrough' ? [] : [credentials.env],
    );
  } catch (error) {
    // What a bad file names can not be known; the evidence is judged all the same.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}
